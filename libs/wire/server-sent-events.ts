import { createParser, type EventSourceMessage } from 'eventsource-parser';

export interface ServerSentEvent {
  /** `message` if the event has no name. */
  readonly event: string;
  readonly data: string;
}

/** A line or an event of the stream is longer than its reader takes. */
export class EventTooLarge extends Error {
  override readonly name = 'EventTooLarge';

  constructor() {
    super('an event is too large');
  }
}

/**
 * The events of a stream (WHATWG HTML, section 9.2) that hold data. Attacker-controlled: throws `EventTooLarge` as soon
 * as an event has over `maxChars` UTF-16 units, so at most that and one chunk are held.
 */
export async function* serverSentEvents(
  chunks: AsyncIterable<string>,
  maxChars: number,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let events: EventSourceMessage[] = [];
  let isTooLarge = false;
  const parser = createParser({
    maxBufferSize: maxChars,
    onEvent: (event) => void events.push(event),
    onError: ({ type }) => (isTooLarge ||= type === 'max-buffer-size-exceeded'),
  });
  for await (const chunk of chunks) {
    parser.feed(chunk);
    for (const { event = 'message', data } of events) {
      // The parser bounds what it keeps between two chunks; this event may have come within one.
      if (data.length > maxChars) throw new EventTooLarge();
      yield { event, data };
    }
    events = [];
    if (isTooLarge) throw new EventTooLarge();
  }
}
