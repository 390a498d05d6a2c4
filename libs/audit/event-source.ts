import type { LogReading, RecordedEvent } from '../event-log/port.js';

/** Events that one read of a stream asks for. */
const READ_EVENTS = 256;
/** Missing events of one gap that are shown one by one. */
const MAX_SHOWN_GAP = 100;

/** Events in order of position, looked at before they are taken. */
export interface EventSource {
  /** The next event; undefined at the end. Throws `LogUnavailable`. */
  peek(): Promise<RecordedEvent | undefined>;
  take(): void;
}

export function listSource(events: readonly RecordedEvent[]): EventSource {
  let at = 0;
  return { peek: async () => events[at], take: () => (at += 1) };
}

/** A stream after a revision. A missing event is in its place, without a text, at the position of the event after it. */
export function streamSource(log: LogReading, stream: string, after = 0): EventSource {
  let buffer: readonly RecordedEvent[] = [];
  let at = 0;
  let revision = after;
  let isEnd = false;
  const fill = async () => {
    const events = await log.read(stream, revision, READ_EVENTS);
    isEnd = events.length < READ_EVENTS;
    buffer = withGaps(stream, events, revision);
    revision = events.at(-1)?.revision ?? revision;
    at = 0;
  };
  return {
    async peek() {
      for (;;) {
        if (at < buffer.length || isEnd) return buffer[at];
        await fill();
      }
    },
    take: () => (at += 1),
  };
}

/** The events of a stream after a revision, with `missingEvent` in place of each that is not there. */
export function withGaps(stream: string, events: readonly RecordedEvent[], after: number): readonly RecordedEvent[] {
  let expected = after + 1;
  if (events.every((event, index) => event.revision === after + index + 1)) return events;
  return events.flatMap((event) => {
    const gap = Math.min(event.revision - expected, MAX_SHOWN_GAP);
    const missing = Array.from({ length: Math.max(0, gap) }, (_, index) =>
      missingEvent(event, stream, expected + index),
    );
    expected = event.revision + 1;
    return [...missing, event];
  });
}

const missingEvent = ({ position }: RecordedEvent, stream: string, revision: number): RecordedEvent => ({
  position,
  stream,
  revision,
  type: '',
  json: '',
});

/** The number of events of a stream up to a position. Throws `LogUnavailable`. */
export async function revisionAt(log: LogReading, stream: string, position: bigint): Promise<number> {
  let known = 0;
  let above = (await log.head(stream)) + 1;
  while (above - known > 1) {
    const middle = Math.floor((known + above) / 2);
    const [event] = await log.read(stream, middle - 1, 1);
    // If this revision is missing, the next one of the stream decides.
    if (event !== undefined && event.position <= position)
      known = Math.max(middle, Math.min(event.revision, above - 1));
    else above = middle;
  }
  return known;
}
