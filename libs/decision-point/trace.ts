import { randomUUID } from 'node:crypto';
import { parseEvent } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';

/** A new W3C trace id. A random UUID is never all zero. */
export function newTraceId(): string {
  return randomUUID().replaceAll('-', '');
}

/** Whether a trace, by its TaskJoined events, holds a task of another host: nobody writes into another's evidence. */
export function isForeign(joined: readonly RecordedEvent[], host: string): boolean {
  return joined.some(({ json }) => (parseEvent(json).data as { host: string }).host !== host);
}
