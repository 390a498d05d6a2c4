import { parseEvent, type Event } from '../../libs/event-log/event.js';
import type { RecordedEvent } from '../../libs/event-log/port.js';
import { familyOf } from '../../libs/streams/catalogue.js';
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

/** All events after a position, of every stream. */
export async function eventsAfter(service: TestService, after: bigint): Promise<SeenEvent[]> {
  const events = await service.service.stores.log.readAll({ after, limit: 10_000 });
  return events.map(seenEvent);
}

/** An event as readers see it: with the data of today's version. */
export function seenEvent({ stream, json, position }: Pick<RecordedEvent, 'stream' | 'json' | 'position'>): SeenEvent {
  const event = familyOf(stream)?.read(json) ?? parseEvent(json);
  return { ...(event as Event<string, Answered>), position };
}

export const logEnd = (service: TestService): Promise<bigint> => service.service.stores.log.end();
