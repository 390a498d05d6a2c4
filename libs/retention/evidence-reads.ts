import { LogClosed, LogOverloaded, LogUnavailable, OutcomeUnknown } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import { defined } from '../kernel/defined.js';
import type { Instant } from '../kernel/time.js';
import { families, type EventOf } from '../streams/catalogue.js';
import { MAX_QUERY_CHARS, MAX_READS_LISTED } from '../streams/retention-events.js';
import { readsWrite } from './facts.js';

/** A request that read evidence. */
export interface EvidenceRequest {
  /** The operation of the contract. */
  readonly operation: string;
  readonly traceId?: string | undefined;
  /** The filters, without the ids of users and without the place in a list: a tail asks the same thing each time. */
  readonly query?: string | undefined;
}

/** The shortest time between two events of one principal, in milliseconds. */
const EVERY_MS = 1_000;
/** The longest time for which repeats of the same questions are gathered, in milliseconds. */
const MAX_WINDOW_MS = 60_000;
const MAX_TRIES = 5;

/** Requests that are not recorded yet. */
interface Gathered {
  readonly what: Map<string, EvidenceRequest & { count: number }>;
  readonly from: Instant;
  to: Instant;
}

interface Reader {
  readonly by: string;
  /** The questions of the last event. */
  known: ReadonlySet<string>;
  pending: Gathered | undefined;
  /** When the last event was recorded, on the monotonic clock. */
  recordedMs: number;
  windowMs: number;
  /** When the gathered requests have to be recorded, on the same clock. Infinity if there are none. */
  dueMs: number;
  /** The last event could not be recorded: nothing more is answered before it is. */
  failed: boolean;
  timer: NodeJS.Timeout | undefined;
  /** The end of the queue of appends, because the stream has one writer. */
  writing: Promise<void>;
  revision: number | undefined;
}

/**
 * Records who read which evidence, in `reads-<principal>`. The first question of a principal is recorded before its answer.
 * Further ones are gathered, and recorded a second later, or before the next answer after that second. As many different
 * questions as one event lists are recorded at once, so none is hidden behind others. Repeats of the same questions are
 * gathered for up to a minute, so that a tail of the log does not fill it with its own reads.
 */
export class EvidenceReads {
  private readonly readers = new Map<string, Reader>();
  private closed = false;

  constructor(
    private readonly log: Pick<SettledLog, 'append' | 'head'>,
    private readonly time: { now(): Instant; monotonicMs(): number },
  ) {}

  /** Call this before the answer is sent, and send none if it throws. Throws `LogUnavailable`, `LogOverloaded`. */
  async note(by: string, request: EvidenceRequest): Promise<void> {
    const reader = this.readerOf(by);
    const key = JSON.stringify([request.operation, request.traceId, request.query]);
    // A question that is not listed yet waits for room. Nothing is awaited between this look and the listing.
    while (!this.closed && reader.pending?.what.has(key) !== true && (reader.failed || isFull(reader)))
      await (reader.failed ? this.flush(reader) : reader.writing);
    if (this.closed) throw new LogClosed();
    const isNew = this.gather(reader, key, request);
    const dueMs = reader.recordedMs + (isNew ? EVERY_MS : reader.windowMs);
    reader.dueMs = Math.min(reader.dueMs, dueMs);
    if (reader.failed || isFull(reader) || this.time.monotonicMs() >= reader.dueMs) await this.flush(reader);
    else this.wake(reader);
  }

  /** Records everything that was gathered. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.allSettled([...this.readers.values()].map((reader) => this.flush(reader)));
  }

  private readerOf(by: string): Reader {
    const known = this.readers.get(by);
    if (known !== undefined) return known;
    const reader: Reader = {
      by,
      known: new Set(),
      pending: undefined,
      recordedMs: -Infinity,
      windowMs: EVERY_MS,
      dueMs: Infinity,
      failed: false,
      timer: undefined,
      writing: Promise.resolve(),
      revision: undefined,
    };
    this.readers.set(by, reader);
    return reader;
  }

  /** Adds a request. True if neither the last event nor the gathered requests have this question. */
  private gather(reader: Reader, key: string, request: EvidenceRequest): boolean {
    const now = this.time.now();
    const gathered = (reader.pending ??= { what: new Map(), from: now, to: now });
    gathered.to = now;
    const same = gathered.what.get(key);
    if (same !== undefined) same.count += 1;
    else gathered.what.set(key, { ...request, count: 1 });
    return same === undefined && !reader.known.has(key);
  }

  private wake(reader: Reader): void {
    clearTimeout(reader.timer);
    reader.timer = setTimeout(
      () => void this.flush(reader).catch(() => undefined), // the next request tries again, and is refused if that fails
      Math.max(0, Math.ceil(reader.dueMs - this.time.monotonicMs())),
    );
    reader.timer.unref();
  }

  private flush(reader: Reader): Promise<void> {
    clearTimeout(reader.timer);
    const written = reader.writing.then(() => this.write(reader));
    reader.writing = written.catch(() => undefined);
    return written;
  }

  private async write(reader: Reader): Promise<void> {
    const gathered = reader.pending;
    if (gathered === undefined) return;
    reader.pending = undefined;
    reader.dueMs = Infinity;
    const nowMs = this.time.monotonicMs();
    const questions = new Set(gathered.what.keys());
    const isRepeat = nowMs - reader.recordedMs < 2 * reader.windowMs && questions.isSubsetOf(reader.known);
    try {
      await this.record(reader, gathered);
    } catch (error) {
      reader.failed = true;
      reader.pending = merged(gathered, reader.pending);
      throw error;
    }
    reader.failed = false;
    reader.known = questions;
    reader.recordedMs = nowMs;
    reader.windowMs = isRepeat ? Math.min(2 * reader.windowMs, MAX_WINDOW_MS) : EVERY_MS;
  }

  /** A filter that no event can hold must not keep the rest from being recorded. */
  private async record(reader: Reader, { what, from, to }: Gathered): Promise<void> {
    const reads = [...what.values()].map((each) => defined({ ...each, query: cut(each.query) }));
    try {
      await this.append(reader, reads, { from, to });
    } catch (error) {
      if (error instanceof LogUnavailable || error instanceof LogOverloaded) throw error;
      const withoutFilters = reads.map(({ operation, traceId, count }) => defined({ operation, traceId, count }));
      await this.append(reader, withoutFilters, { from, to });
    }
  }

  private async append(reader: Reader, reads: readonly Read[], span: { from: Instant; to: Instant }): Promise<void> {
    const { by } = reader;
    const stream = families.reads.stream(by);
    const events = listsOf(reads).map((what) => ({ by, what, count: sum(what), ...span }));
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const expected = (reader.revision ??= await this.log.head(stream));
      const write = readsWrite(by, expected, events, { actor: by, time: this.time.now() });
      reader.revision = undefined;
      const outcome = await this.log.append({ writes: [write], checks: [] }).catch(unrecorded);
      if (outcome.kind !== 'committed') continue;
      reader.revision = expected + events.length;
      return;
    }
    throw new LogUnavailable('the reading of evidence could not be recorded');
  }
}

/** A reader of evidence has no command to repeat: an append of unknown outcome is one that has to be made again. */
function unrecorded(error: unknown): never {
  if (error instanceof OutcomeUnknown) throw new LogUnavailable(error.message, { cause: error });
  throw error;
}

type Read = EventOf<'EvidenceRead'>['data']['what'][number];

const isFull = ({ pending }: Reader): boolean => pending !== undefined && pending.what.size >= MAX_READS_LISTED;

/** The filters as far as an event has room for them. Half of a character is replaced, because no event can hold it. */
const cut = (query: string | undefined): string | undefined => query?.slice(0, MAX_QUERY_CHARS).toWellFormed();

const sum = (reads: readonly Read[]): number => reads.reduce((total, { count }) => total + count, 0);

/** The reads of each event. */
function listsOf(reads: readonly Read[]): Read[][] {
  const lists: Read[][] = [];
  for (let at = 0; at < reads.length; at += MAX_READS_LISTED) lists.push(reads.slice(at, at + MAX_READS_LISTED));
  return lists;
}

/**
 * Requests that were not recorded, with those that came in meanwhile. These are at most two lists: nothing is gathered
 * after a failure.
 */
function merged(earlier: Gathered, later: Gathered | undefined): Gathered {
  if (later === undefined) return earlier;
  for (const [key, each] of later.what) {
    const same = earlier.what.get(key);
    if (same !== undefined) same.count += each.count;
    else earlier.what.set(key, each);
  }
  return { ...earlier, to: later.to };
}
