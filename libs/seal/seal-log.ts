import type { RecordedEvent } from '../event-log/port.js';
import { parseEvent } from '../event-log/event.js';
import { families, type EventOf } from '../streams/catalogue.js';
import type { Hash } from '../transparency/hash.js';
import type { SealedCheckpoint, SealStatus } from './messages.js';

/** An event that is a leaf. Of one that was removed, type and text are empty, and `pruned` has its leaf. */
export interface LeafEvent extends RecordedEvent {
  readonly pruned?: { readonly leaf: Hash };
}

/** The log as the sealer reads it, in its own thread. Each event has been checked to be what was written. */
export interface SealLog {
  /** Removed events are among them. */
  all(after: number, categories: readonly string[], limit: number): readonly LeafEvent[];
  stream(stream: string, after: number, limit: number): readonly RecordedEvent[];
  head(stream: string): number;
  end(): number;
  close(): void;
}

const SEAL = families.seal.stream();
const LOG = families.log.stream();

/** The checkpoint with a revision of the stream `seal`. */
export function checkpointAt(log: Pick<SealLog, 'stream'>, revision: number): Checkpointed | undefined {
  const [event] = revision < 1 ? [] : log.stream(SEAL, revision - 1, 1);
  return event === undefined ? undefined : checkpointOf(event);
}

export interface Checkpointed extends SealedCheckpoint {
  readonly revision: number;
  readonly data: EventOf<'CheckpointSealed'>['data'];
}

export function checkpointOf({ json, revision }: Pick<RecordedEvent, 'json' | 'revision'>): Checkpointed {
  const { data, time } = families.seal.read(json);
  const { size, root, note } = data;
  return { revision, size, root, note, time, data };
}

/** The last checkpoint of the log. */
export const lastCheckpoint = (log: Pick<SealLog, 'stream' | 'head'>): Checkpointed | undefined =>
  checkpointAt(log, log.head(SEAL));

/** The checkpoint of a size, if the log has one. Sizes rise with revisions. */
export function checkpointOfSize(log: Pick<SealLog, 'stream' | 'head'>, size: number): Checkpointed | undefined {
  let [low, high] = [1, log.head(SEAL)];
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const found = checkpointAt(log, middle);
    if (found === undefined || found.size === size) return found;
    if (found.size < size) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}

/** The size of the last checkpoint that was recorded before a position; 0 if there is none. */
export function sizeBefore(log: Pick<SealLog, 'stream' | 'head'>, position: bigint): number {
  let [low, high] = [0, log.head(SEAL)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const [event] = log.stream(SEAL, middle - 1, 1);
    if (event !== undefined && event.position < position) low = middle;
    else high = middle - 1;
  }
  return checkpointAt(log, low)?.size ?? 0;
}

/** The position of the first `LogRestored` with a later incarnation than this. Undefined if there is none. */
export function restoredAfter(log: Pick<SealLog, 'stream' | 'head'>, incarnation: number): bigint | undefined {
  for (let revision = 1; revision <= log.head(LOG); revision += 1) {
    const [event] = log.stream(LOG, revision - 1, 1);
    if (event !== undefined && families.log.read(event.json).data.incarnation > incarnation) return event.position;
  }
  return undefined;
}

/** The last restore of the log; undefined if it was never restored. */
export function lastRestore(log: Pick<SealLog, 'stream' | 'head'>): EventOf<'LogRestored'>['data'] | undefined {
  const [event] = log.stream(LOG, Math.max(0, log.head(LOG) - 1), 1);
  return event === undefined ? undefined : families.log.read(event.json).data;
}

/**
 * The name of the log in its checkpoints. By default it holds the id of the first event, so it is the same as long as the
 * log is. A restored log is another one than the log that was lost, and gets the incarnation as a suffix: the two may hold
 * different leaves at the same places.
 */
export function originOf(
  log: Pick<SealLog, 'all' | 'stream' | 'head'>,
  categories: readonly string[],
  set: string | undefined,
): string {
  const [first] = set === undefined ? log.all(0, categories, 1) : [];
  const base = set ?? `sallyport/${first === undefined ? 'empty' : parseEvent(first.json).id}`;
  const restore = lastRestore(log);
  return restore === undefined ? base : `${base}/${restore.incarnation}`;
}

/** The last checkpoint of the log, and its end. */
export function statusOf(
  log: Pick<SealLog, 'stream' | 'head' | 'end'>,
): Omit<SealStatus, 'unsealedSinceMs' | 'trouble'> {
  const last = lastCheckpoint(log);
  return { size: last?.size ?? 0, root: last?.root, events: last?.data.completeness.events ?? 0, head: log.end() };
}
