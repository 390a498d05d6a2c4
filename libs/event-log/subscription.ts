import { setTimeout as pause } from 'node:timers/promises';
import { Backoff } from '../kernel/backoff.js';
import { defined } from '../kernel/defined.js';
import type { ReadAllOptions, RecordedEvent, SubscribeOptions, Subscriber, Subscription } from './port.js';
import { Tail, type Committed } from './tail.js';

/** Events of one read, and the end of the log as that same read saw it. */
export interface Page {
  readonly events: readonly RecordedEvent[];
  readonly end: bigint;
  /** The page was full: more may follow before `end`. */
  readonly more: boolean;
}

/** Under load one read serves the appends of this long, instead of a read for each. */
const INTERVAL_MS = 4;
/** Events that are handed over at once. */
const PAGE = 500;
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 5_000;

/** The subscriptions of one log. Nothing polls: they read when they start and at each `wake`. */
export class Subscriptions {
  private readonly open = new Set<Follower>();

  constructor(private readonly readPage: (options: ReadAllOptions) => Promise<Page>) {}

  /** `close` waits for a handler that is running, so a handler must not wait for it. */
  follow(options: SubscribeOptions, subscriber: Subscriber): Subscription {
    const follower = new Follower(this.readPage, options, subscriber);
    this.open.add(follower);
    const running = follower.run().finally(() => this.open.delete(follower));
    return {
      hurry: () => follower.hurry(),
      close: () => {
        follower.stop();
        return running;
      },
    };
  }

  /**
   * Something may have been appended. If it is given, in the order of the log, a subscription that has seen everything
   * before it need not read it back.
   */
  wake(committed?: readonly Committed[]): void {
    for (const follower of this.open) follower.wake(committed);
  }

  /** Hands over nothing more. Does not wait for handlers that are running: one of them may hang. */
  stop(): void {
    for (const follower of this.open) follower.stop();
  }
}

/** One subscription: at least once, in order. It reads the next page only after the handler of the last one is done. */
class Follower {
  private readonly stopping = new AbortController();
  /** The log has to be read. `wake` sets it even while a page is being read, so that no append is missed. */
  private stale = true;
  private readonly tail: Tail;
  private sleeper: (() => void) | undefined;
  /** Ends the pause between two reads. */
  private pausing: AbortController | undefined;
  private hurried = false;
  private readonly intervalMs: number;
  private lastReadMs: number;
  private after: bigint;

  constructor(
    private readonly readPage: (options: ReadAllOptions) => Promise<Page>,
    private readonly options: SubscribeOptions,
    private readonly subscriber: Subscriber,
  ) {
    this.after = options.after;
    this.tail = new Tail(options.categories);
    this.intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.lastReadMs = -this.intervalMs;
  }

  async run(): Promise<void> {
    const backoff = new Backoff(FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
    while (!this.stopping.signal.aborted) {
      try {
        await this.step();
        backoff.reset();
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        this.tail.drop();
        this.stale = true;
        reportTo(this.subscriber, error);
        await pause(backoff.nextMs(), undefined, { signal: this.stopping.signal }).catch(() => undefined);
      }
    }
  }

  wake(committed: readonly Committed[] | undefined): void {
    if (committed?.every((batch) => this.tail.add(batch)) !== true) {
      this.tail.drop();
      this.stale = true;
    }
    if (this.sleeper === undefined) return;
    if (this.stale || !this.tail.isEmpty) this.sleeper();
    else this.caughtUpWithTail();
  }

  hurry(): void {
    this.hurried = true;
    this.pausing?.abort();
  }

  stop(): void {
    this.stopping.abort();
    this.pausing?.abort();
    this.sleeper?.();
  }

  private async step(): Promise<void> {
    if (!this.stale && this.tail.isEmpty) {
      // Committed while events were handed over: no other `wake` will announce it.
      if (this.tail.to > this.after) this.caughtUpWithTail();
      await new Promise<void>((resolve) => (this.sleeper = resolve));
      this.sleeper = undefined;
      return;
    }
    await this.untilDue();
    if (this.stopping.signal.aborted) return;
    this.hurried = false;
    if (this.stale) await this.readOn();
    else await this.handOver();
  }

  private async readOn(): Promise<void> {
    this.stale = false;
    const { categories, damaged } = this.options;
    const { events, end, more } = await this.readPage(defined({ after: this.after, categories, damaged }));
    if (this.stopping.signal.aborted) return;
    const last = events.at(-1);
    if (last !== undefined) {
      await this.subscriber.onEvents(events);
      this.after = last.position;
    }
    if (this.stopping.signal.aborted) return;
    if (more) {
      this.stale = true;
      this.hurried = true;
      return;
    }
    this.subscriber.onCaughtUp(end);
    if (end > this.after) this.after = end;
    if (!this.tail.joinAt(end)) this.stale = true;
  }

  private async handOver(): Promise<void> {
    const events = this.tail.take(PAGE);
    const isAll = this.tail.isEmpty;
    const { to } = this.tail;
    await this.subscriber.onEvents(events);
    if (this.stopping.signal.aborted) return;
    this.after = isAll ? to : (events.at(-1)?.position ?? this.after);
    if (isAll) this.subscriber.onCaughtUp(to);
    else this.hurried = true;
  }

  /** The batches that were committed meanwhile are of other categories: it has caught up with them too. */
  private caughtUpWithTail(): void {
    try {
      this.after = this.tail.to;
      this.subscriber.onCaughtUp(this.after);
    } catch (error) {
      reportTo(this.subscriber, error);
    }
  }

  /** Waits until the interval since the last read is over, unless `hurry` was called. */
  private async untilDue(): Promise<void> {
    const early = this.lastReadMs + this.intervalMs - performance.now();
    if (early > 0 && !this.hurried) {
      this.pausing = new AbortController();
      await pause(early, undefined, { signal: this.pausing.signal }).catch(() => undefined);
      this.pausing = undefined;
    }
    this.lastReadMs = performance.now();
  }
}

function reportTo(subscriber: Subscriber, error: unknown): void {
  try {
    subscriber.onError?.(error);
  } catch {
    // A reporter that throws must not end the subscription that it reports on.
  }
}
