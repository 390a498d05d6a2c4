import type { Digest } from '../../kernel/digest.js';
import { checkBatch } from '../batch.js';
import { categoryOf } from '../event.js';
import {
  LogClosed,
  LogOverloaded,
  LogUnavailable,
  type AppendOutcome,
  type Batch,
  type EventLog,
  type EventPlace,
  type ReadAllOptions,
  type Recall,
  type RecordedEvent,
  type Subscriber,
  type Subscription,
  type Violation,
} from '../port.js';
import { Subscriptions, type Page } from '../subscription.js';

/**
 * The fate of one append.
 * - `failed`: unknown, and nothing was written.
 * - `persisted`: unknown, although all of it was written.
 * - `untaken`: unwritten, as from a store that cannot be opened.
 * - `refused`: refused although nothing was violated, as after a lost race; names the first stream of the batch.
 * - `held`: as on a stalled disk: the store has taken it, and it and all later appends wait for `until`.
 */
export type Fault =
  'failed' | 'persisted' | 'untaken' | 'refused' | { readonly kind: 'held'; readonly until: Promise<unknown> };

export interface MemoryLogOptions {
  /** Appends that may wait at once; 8192. */
  readonly maxQueuedBatches?: number;
}

const FIRST_POSITION = 2n ** 53n + 1n;
const PAGE_EVENTS = 500;
/** Small, so that callers have to ask again. */
const PAGE_PAYLOADS = 2;

/**
 * The event log for tests, as nasty as the port allows: positions start above 2^53 and leave gaps, a batch shares one
 * position, ids are not remembered (a repeat is known by its stored bytes alone), every answer and every delivery is
 * asynchronous, and faults can be ordered in advance. Nothing is durable.
 */
export class MemoryLog implements EventLog {
  private readonly streams = new Map<string, RecordedEvent[]>();
  private readonly payloadOf = new Map<RecordedEvent, Uint8Array>();
  private readonly blobs = new Map<Digest, Uint8Array>();
  private readonly all: RecordedEvent[] = [];
  private readonly faults: Fault[] = [];
  private readonly maxQueuedBatches: number;
  private readonly subscriptions = new Subscriptions((options) => this.page(options));
  private lastPosition = 0n;
  private queue: Promise<unknown> = Promise.resolve();
  private queuedBatches = 0;
  private unreadable = 0;
  private closed = false;

  constructor(options: MemoryLogOptions = {}) {
    this.maxQueuedBatches = options.maxQueuedBatches ?? 8_192;
  }

  /** The next appends meet these faults, one each, in this order. */
  failNext(...faults: readonly Fault[]): void {
    this.faults.push(...faults);
  }

  /** Removes the faults that no append has met yet. */
  endFaults(): void {
    this.faults.length = 0;
  }

  /** The next reads throw `LogUnavailable`. */
  failReads(count: number): void {
    this.unreadable = count;
  }

  async append(batch: Batch, recall: Recall = {}): Promise<AppendOutcome> {
    if (this.closed) throw new LogClosed();
    checkBatch(batch);
    if (this.queuedBatches >= this.maxQueuedBatches) throw new LogOverloaded('too many appends are waiting');
    const fault = this.faults.shift();
    this.queuedBatches += 1;
    let holder: 'store' | 'caller' | undefined;
    recall.takeBack = () => (holder ??= 'caller') === 'caller';
    const mayTake = (): boolean => (holder ??= 'store') === 'store';
    const turn = this.queue.then(() => this.take(batch, fault, mayTake)).finally(() => (this.queuedBatches -= 1));
    this.queue = turn;
    return turn;
  }

  async head(stream: string): Promise<number> {
    await this.readable();
    return this.headOf(stream);
  }

  async read(stream: string, after = 0, limit = Infinity): Promise<readonly RecordedEvent[]> {
    await this.readable();
    return (this.streams.get(stream) ?? []).slice(after, after + limit);
  }

  async readAll(options: ReadAllOptions): Promise<readonly RecordedEvent[]> {
    return (await this.page(options)).events;
  }

  async last(count: number): Promise<readonly RecordedEvent[]> {
    await this.readable();
    return count > 0 ? this.all.slice(-count) : [];
  }

  async end(): Promise<bigint> {
    await this.readable();
    return this.lastPosition;
  }

  subscribe(options: Omit<ReadAllOptions, 'limit'>, subscriber: Subscriber): Subscription {
    if (this.closed) throw new LogClosed();
    return this.subscriptions.follow(options, subscriber);
  }

  async payload(stream: string, revision: number): Promise<Uint8Array | undefined> {
    await this.readable();
    return this.payloadAt({ stream, revision });
  }

  async payloads(places: readonly EventPlace[]): Promise<(Uint8Array | undefined)[]> {
    await this.readable();
    return places.slice(0, PAGE_PAYLOADS).map((place) => this.payloadAt(place));
  }

  async blob(digest: Digest): Promise<Uint8Array | undefined> {
    await this.readable();
    return this.blobs.get(digest);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.queue;
    await nextTurn();
    this.subscriptions.stop();
  }

  private async readable(): Promise<void> {
    if (this.closed) throw new LogClosed();
    await nextTurn();
    if (this.unreadable > 0) {
      this.unreadable -= 1;
      throw new LogUnavailable('an ordered fault');
    }
  }

  private async take(batch: Batch, fault: Fault | undefined, mayTake: () => boolean): Promise<AppendOutcome> {
    await nextTurn();
    if (!mayTake()) return { kind: 'unwritten', cause: 'taken back' };
    if (fault === 'untaken') return { kind: 'unwritten', cause: 'ordered: untaken' };
    if (typeof fault === 'object') await fault.until;
    if (fault === 'failed') return { kind: 'unknown', cause: 'ordered: failed' };
    if (fault === 'refused') return { kind: 'refused', violations: this.pretendedViolation(batch) };
    const outcome = this.commit(batch);
    this.subscriptions.wake();
    return fault === 'persisted' ? { kind: 'unknown', cause: 'ordered: persisted' } : outcome;
  }

  private commit(batch: Batch): AppendOutcome {
    const violations: Violation[] = [...batch.writes, ...batch.checks]
      .map(({ stream, expected }) => ({ stream, expected, actual: this.headOf(stream) }))
      .filter(({ expected, actual }) => expected !== actual);
    if (violations.length > 0) {
      const position = this.positionOfRepeat(batch);
      return position === undefined ? { kind: 'refused', violations } : { kind: 'committed', position };
    }
    if (batch.writes.length === 0) return { kind: 'committed', position: this.lastPosition };

    this.lastPosition = this.lastPosition === 0n ? FIRST_POSITION : this.lastPosition + 7n;
    for (const { stream, events } of batch.writes) {
      const stored = this.streams.get(stream) ?? [];
      this.streams.set(stream, stored);
      for (const { revision, type, json, payload } of events) {
        const event = { position: this.lastPosition, stream, revision, type, json };
        stored.push(event);
        this.all.push(event);
        if (payload !== undefined) this.payloadOf.set(event, payload.slice());
      }
    }
    for (const { digest, bytes } of batch.blobs ?? []) this.blobs.set(digest, bytes.slice());
    return { kind: 'committed', position: this.lastPosition };
  }

  /** The position of a batch whose events are all in the log already, byte for byte. */
  private positionOfRepeat({ writes }: Batch): bigint | undefined {
    let position: bigint | undefined;
    for (const { stream, revision, json } of writes.flatMap((write) => write.events)) {
      const stored = this.streams.get(stream)?.[revision - 1];
      if (stored?.json !== json) return undefined;
      if (position === undefined || stored.position > position) position = stored.position;
    }
    return position;
  }

  private payloadAt({ stream, revision }: EventPlace): Uint8Array | undefined {
    const event = this.streams.get(stream)?.[revision - 1];
    return event && this.payloadOf.get(event);
  }

  private headOf(stream: string): number {
    return this.streams.get(stream)?.length ?? 0;
  }

  private pretendedViolation({ writes, checks }: Batch): Violation[] {
    return [...writes, ...checks]
      .slice(0, 1)
      .map(({ stream, expected }) => ({ stream, expected, actual: expected + 1 }));
  }

  private async page({ after, categories, limit = PAGE_EVENTS }: ReadAllOptions): Promise<Page> {
    await this.readable();
    const events: RecordedEvent[] = [];
    for (const event of this.all.slice(this.firstAfter(after))) {
      // A page that reaches the limit goes on to the end of the batch that it began.
      if (events.length >= limit && event.position !== events.at(-1)?.position) {
        return { events, end: this.lastPosition, more: true };
      }
      if (categories === undefined || categories.includes(categoryOf(event.stream))) events.push(event);
    }
    return { events, end: this.lastPosition, more: false };
  }

  /** Index of the first event after a position, by bisection. */
  private firstAfter(position: bigint): number {
    let low = 0;
    let high = this.all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const event = this.all[middle];
      if (event !== undefined && event.position > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
