import { randomUUID } from 'node:crypto';
import type { RecordedEvent } from '../event-log/port.js';
import { families } from '../streams/catalogue.js';

/** A new W3C trace id. A random UUID is never all zero. */
export function newTraceId(): string {
  return randomUUID().replaceAll('-', '');
}

/**
 * Whether a trace, by its TaskJoined events, holds a task of another host: no host may write into another host's
 * evidence. An unreadable event counts as another host's.
 */
export function isForeign(joined: readonly RecordedEvent[], host: string): boolean {
  return joined.some(({ json }) => {
    const read = families.trace.readWhole(json);
    return !read.ok || read.value.data.host !== host;
  });
}
