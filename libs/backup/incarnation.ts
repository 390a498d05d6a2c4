import { parseEvent } from '../event-log/event.js';
import type { EventLog, StreamWrite } from '../event-log/port.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import { families, type EventOf } from '../streams/catalogue.js';
import { writeOf } from '../streams/facts.js';

const STREAM = families.log.stream();
const ACTOR = 'system:restore';

/**
 * The incarnation of a log from its first event and from the last event of the stream `log`, as texts. A log gets one as it
 * is created and a greater one with each restore, so that readers can tell which of two logs is the later one. It is the
 * time of that moment in seconds since 1970; 0 for an empty log.
 */
export function incarnationIn(first: string | undefined, lastOfLog: string | undefined): number {
  if (lastOfLog !== undefined) return families.log.read(lastOfLog).data.incarnation;
  return first === undefined ? 0 : Math.floor(toMs(parseEvent(first).time) / 1000);
}

/** The incarnation of an open log. Throws `LogUnavailable`, `UnreadableEvent`. */
export async function incarnationOf(log: Pick<EventLog, 'read' | 'readAll'>): Promise<number> {
  const [restores, first] = await Promise.all([log.read(STREAM), log.readAll({ after: 0n, limit: 1 })]);
  return incarnationIn(first[0]?.json, restores.at(-1)?.json);
}

export interface Restored {
  /** The times of the backup, and what it held. */
  readonly backup: Omit<EventOf<'LogRestored'>['data'], 'incarnation'>;
  /** The incarnation that the backup has, or a later one that is known from elsewhere. */
  readonly after: number;
  /** Now, in milliseconds since 1970. */
  readonly nowMs: number;
  /** No event is older than the newest one of the log. */
  readonly newestMs: number;
  /** The revision of the stream `log`. */
  readonly revision: number;
}

/** The write that begins a new incarnation of a restored log. */
export function restoreWrite({ backup, after, nowMs, newestMs, revision }: Restored): StreamWrite {
  const data: EventOf<'LogRestored'>['data'] = {
    ...backup,
    incarnation: Math.max(Math.floor(nowMs / 1000), after + 1),
  };
  const time: Instant = toInstant(Math.max(nowMs, newestMs));
  return writeOf(STREAM, revision, [{ type: 'LogRestored', data, actor: ACTOR, time }]);
}
