import { parseEvent, type Event } from '../../libs/event-log/event.js';
import type { Answered, TestService } from './service.js';

/** An event as tests look at it. */
export interface SeenEvent extends Event<string, Answered> {
  readonly position: bigint;
}

/** The events of one stream, read from the log and not through the service. */
export async function eventsOf(service: TestService, stream: string): Promise<SeenEvent[]> {
  const events = await service.service.stores.log.read(stream);
  return events.map(({ json, position }) => ({ ...(parseEvent(json) as Event<string, Answered>), position }));
}

/** All events after a position, of every stream. */
export async function eventsAfter(service: TestService, after: bigint): Promise<SeenEvent[]> {
  const events = await service.service.stores.log.readAll({ after, limit: 10_000 });
  return events.map(({ json, position }) => ({ ...(parseEvent(json) as Event<string, Answered>), position }));
}

export const logEnd = (service: TestService): Promise<bigint> => service.service.stores.log.end();
