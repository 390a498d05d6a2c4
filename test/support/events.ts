import { parseEvent, type Event } from '../../libs/event-log/event.js';
import type { RecordedEvent } from '../../libs/event-log/port.js';
import { families, familyOf } from '../../libs/streams/catalogue.js';
import type { Answered, TestService } from './service.js';

/** An event as tests look at it. */
export interface SeenEvent extends Event<string, Answered> {
  readonly position: bigint;
}

/** The events of one stream, read from the log and not through the service. */
export async function eventsOf(service: TestService, stream: string): Promise<SeenEvent[]> {
  const events = await service.service.stores.log.read(stream);
  return events.map(seenEvent);
}

/**
 * All events after a position, but those that say who read evidence: the questions of a test are recorded up to a second
 * after it has put them.
 */
export async function recordedAfter(service: TestService, after: bigint): Promise<RecordedEvent[]> {
  const events = await service.service.stores.log.readAll({ after, limit: 10_000 });
  return events.filter(({ stream }) => familyOf(stream) !== families.reads);
}

/** `recordedAfter`, as readers see it. */
export async function eventsAfter(service: TestService, after: bigint): Promise<SeenEvent[]> {
  return (await recordedAfter(service, after)).map(seenEvent);
}

/** An event as readers see it: with the data of today's version. */
export function seenEvent({ stream, json, position }: Pick<RecordedEvent, 'stream' | 'json' | 'position'>): SeenEvent {
  const event = familyOf(stream)?.read(json) ?? parseEvent(json);
  return { ...(event as Event<string, Answered>), position };
}

export const logEnd = (service: TestService): Promise<bigint> => service.service.stores.log.end();
