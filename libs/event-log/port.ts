import type { Digest } from '../kernel/digest.js';
import type { SealedEvent } from './event.js';

/** Events for one stream. `expected` is the revision that the stream must have before them; 0 if it must not exist. */
export interface StreamWrite {
  readonly stream: string;
  readonly expected: number;
  readonly events: readonly SealedEvent[];
}

/** A precondition on a stream that the batch does not write. */
export interface StreamCheck {
  readonly stream: string;
  readonly expected: number;
}

/** Content-addressed bytes (definitions, policies, schemas); writing one that is there already is no error. */
export interface Blob {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** All or nothing. `writes` and `checks` together name each stream at most once. `writes` may be empty. */
export interface Batch {
  readonly writes: readonly StreamWrite[];
  readonly checks: readonly StreamCheck[];
  readonly blobs?: readonly Blob[];
  /**
   * The batch only stops something, so it may be written even after its caller got the answer that its fate is unknown.
   * A batch that opens something must not be written after such an answer. `settled.ts` reads this; adapters need not.
   */
  readonly standing?: boolean;
  /**
   * The batch stops something: an adapter may take it before others that wait, if they write none of its streams. Its
   * effect is the same.
   */
  readonly urgent?: boolean;
}

export interface Violation {
  readonly stream: string;
  readonly expected: number;
  readonly actual: number;
}

/**
 * - `committed`: durable. `position` is that of the last event of the last write, at or after all others of the batch;
 *   of a batch that writes nothing, it is at or after all that its checks saw. An identical batch that was committed
 *   before is `committed` again: its stored bytes were read back and are the same.
 * - `refused`: nothing was written. Every violated expectation is named.
 * - `unwritten`: the store did not take the batch, because the caller took it back or the store cannot be opened.
 *   Nothing was written.
 * - `unknown`: the store took the batch, and nobody can say whether it was written (a time-out, a lost connection, an
 *   I/O error at commit). Nothing that depends on its fate may be decided before the fate is known.
 *
 * `committed` and `refused` also settle earlier batches of unknown fate that write the same streams: a batch that is
 * not written by then never will be, because others take its revisions. An adapter in which a copy may still arrive has
 * to keep it out. A batch that only checks therefore reveals the fate of another batch without a second copy of it.
 */
export type AppendOutcome =
  | { readonly kind: 'committed'; readonly position: bigint }
  | { readonly kind: 'refused'; readonly violations: readonly Violation[] }
  | { readonly kind: 'unwritten'; readonly cause: string }
  | { readonly kind: 'unknown'; readonly cause: string };

/** The caller's hold on an append that has no answer yet. A log that can give batches back sets `takeBack`. */
export interface Recall {
  /**
   * Takes the batch back. True if the store has not taken it: then it never will, and the append answers `unwritten`.
   * The store and the caller settle this in one step, so exactly one of them has the batch.
   */
  takeBack?: () => boolean;
}

/** An event as it was read. Positions are compared and never counted: they are sparse, and a batch may share one. */
export interface RecordedEvent {
  readonly position: bigint;
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  readonly json: string;
}

/**
 * Whether a reader that shows damage found that the stored text of an event is not what was written. It gives no part of that
 * text away: `type` and `json` are empty, so nothing can take it as a decision or an input.
 */
export const isDamaged = ({ json }: Pick<RecordedEvent, 'json'>): boolean => json === '';

/** The place of an event in the log. */
export type EventPlace = Pick<RecordedEvent, 'stream' | 'revision'>;

export interface ReadAllOptions {
  /** Only events after this position. */
  readonly after: bigint;
  /** Only streams of these categories; all streams if not given. */
  readonly categories?: readonly string[];
  /**
   * `shown`: a damaged event is in its place, as `isDamaged` says. If absent, it throws `DamagedEvidence`. Decisions never
   * rest on a reading that shows damage.
   */
  readonly damaged?: 'shown';
  /** About how many events at once. A batch that shares one position is never split. */
  readonly limit?: number;
}

export interface Subscriber {
  /** Events in order of position. The next ones come only after the returned promise has settled. */
  onEvents(events: readonly RecordedEvent[]): void | Promise<void>;
  /** Everything up to `position` has been handed over. Comes after each time that the end was reached. */
  onCaughtUp(position: bigint): void;
  /** The log could not be read, or a handler threw. The same events are handed over again after a pause. */
  onError?(error: unknown): void;
}

export interface SubscribeOptions extends Omit<ReadAllOptions, 'limit'> {
  /** Under load one read serves the appends of about this long; a subscriber that need not be prompt costs less. */
  readonly intervalMs?: number;
}

export interface Subscription {
  /** Reads at once what has been appended, without waiting for the interval. */
  hurry(): void;
  close(): Promise<void>;
}

/** The event log. One contract suite (`test/contracts/event-log.ts`) says for every adapter what these words mean. */
export interface EventLog {
  /** Throws `LogOverloaded` (nothing was queued) when its bounded queue is full, `LogClosed` after `close`. */
  append(batch: Batch, recall?: Recall): Promise<AppendOutcome>;
  /** The revision of a stream's last event, 0 if the stream does not exist; linearizable. Throws `LogUnavailable`. */
  head(stream: string): Promise<number>;
  /** Events of a stream after a revision, in order; all of them or the first `limit`. Throws `LogUnavailable`. */
  read(stream: string, after?: number, limit?: number): Promise<readonly RecordedEvent[]>;
  /** Events of many streams in order of position; empty at the end. Throws `LogUnavailable`. */
  readAll(options: ReadAllOptions): Promise<readonly RecordedEvent[]>;
  /**
   * The last events of the log in order of position: at most `count`, fewer if they are large, and always the last one.
   * Damaged ones are shown (`isDamaged`). Throws `LogUnavailable`.
   */
  last(count: number): Promise<readonly RecordedEvent[]>;
  /** The position of the last event, 0n in an empty log. Throws `LogUnavailable`. */
  end(): Promise<bigint>;
  /** Follows the log from a position on; resubscribes by itself after an error. */
  subscribe(options: SubscribeOptions, subscriber: Subscriber): Subscription;
  /** The payload of an event, undefined if it has none. Throws `LogUnavailable`. */
  payload(stream: string, revision: number): Promise<Uint8Array | undefined>;
  /**
   * The payloads of several events, in the order of `places`. Above the size of a page only the first ones are
   * answered, and always the first. Throws `LogUnavailable`.
   */
  payloads(places: readonly EventPlace[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** Throws `LogUnavailable`. */
  blob(digest: Digest): Promise<Uint8Array | undefined>;
  /** Finishes what is queued, then releases everything it holds. */
  close(): Promise<void>;
}

/** The methods that a reader of the log needs. A thread that only reads has a connection of its own. */
export type LogReading = Pick<EventLog, 'head' | 'read' | 'readAll' | 'last' | 'end' | 'payload' | 'payloads' | 'blob'>;

/** The queue of appends is full: nothing of this batch was taken. */
export class LogOverloaded extends Error {
  override readonly name = 'LogOverloaded';
}

/** The log cannot be read or written now. */
export class LogUnavailable extends Error {
  override readonly name: string = 'LogUnavailable';
}

/** An event that the reading needs is damaged: reading again has the same answer. */
export class DamagedEvidence extends LogUnavailable {
  /** `place` is undefined if the damage is that an event or its row is missing. */
  constructor(
    message: string,
    readonly place?: DamagedPlace,
  ) {
    super(message);
  }
}

/** The place of a damaged event, as its row has it. */
export type DamagedPlace = Pick<RecordedEvent, 'position' | 'stream' | 'revision'>;

/**
 * An append may have been written, or may still be written: its caller has to find out. Plain `LogUnavailable` means
 * that it was not.
 */
export class OutcomeUnknown extends LogUnavailable {
  override readonly name = 'OutcomeUnknown';
}

/** The log has been closed. */
export class LogClosed extends LogUnavailable {
  constructor() {
    super('the event log is closed');
  }
}
