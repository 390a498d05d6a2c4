import { setTimeout as pause } from 'node:timers/promises';
import type { ReadAllOptions, RecordedEvent, Subscriber, Subscription } from './port.js';

/** Events of one read, and the end of the log as that same read saw it. */
export interface Page {
  readonly events: readonly RecordedEvent[];
  readonly end: bigint;
  /** The page was full: more may follow before `end`. */
  readonly more: boolean;
}

/** Under load one read serves the appends of this long, instead of a read for each. */
const MIN_INTERVAL_MS = 4;
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 5_000;

/** The subscriptions of one log. Nothing polls: they read when they start and whenever `wake` is called. */
export class Subscriptions {
  private readonly open = new Set<Follower>();

  constructor(private readonly readPage: (options: ReadAllOptions) => Promise<Page>) {}

  /** `close` waits for a handler that is running, so a handler must not wait for it. */
  follow(options: Omit<ReadAllOptions, 'limit'>, subscriber: Subscriber): Subscription {
    const follower = new Follower(this.readPage, options, subscriber);
    this.open.add(follower);
    const running = follower.run().finally(() => this.open.delete(follower));
    return {
      close: () => {
        follower.stop();
        return running;
      },
    };
  }

  /** Something may have been appended. */
  wake(): void {
    for (const follower of this.open) follower.wake();
  }

  /** Hands over nothing more. Does not wait for handlers that are running: one of them may hang. */
  stop(): void {
    for (const follower of this.open) follower.stop();
  }
}

/** One subscription: at least once, in order, and the next page only after the handler of the last one is done. */
class Follower {
  private readonly stopping = new AbortController();
  /** Set by `wake` also while a page is being read or handled, so that no append is slept through. */
  private stale = true;
  private sleeper: (() => void) | undefined;
  private lastReadMs = -MIN_INTERVAL_MS;
  private after: bigint;

  constructor(
    private readonly readPage: (options: ReadAllOptions) => Promise<Page>,
    private readonly options: Omit<ReadAllOptions, 'limit'>,
    private readonly subscriber: Subscriber,
  ) {
    this.after = options.after;
  }

  async run(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!this.stopping.signal.aborted) {
      try {
        await this.step();
        backoffMs = FIRST_BACKOFF_MS;
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        this.stale = true;
        reportTo(this.subscriber, error);
        await pause(backoffMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
      }
    }
  }

  wake(): void {
    this.stale = true;
    this.sleeper?.();
  }

  stop(): void {
    this.stopping.abort();
    this.sleeper?.();
  }

  private async step(): Promise<void> {
    if (!this.stale) {
      await new Promise<void>((resolve) => (this.sleeper = resolve));
      this.sleeper = undefined;
      return;
    }
    const early = this.lastReadMs + MIN_INTERVAL_MS - performance.now();
    if (early > 0) await pause(early, undefined, { signal: this.stopping.signal });
    this.lastReadMs = performance.now();
    this.stale = false;
    const { events, end, more } = await this.readPage({ ...this.options, after: this.after });
    if (this.stopping.signal.aborted) return;
    const last = events.at(-1);
    if (last !== undefined) {
      await this.subscriber.onEvents(events);
      this.after = last.position;
    }
    if (more) {
      this.stale = true;
    } else if (!this.stopping.signal.aborted) {
      this.subscriber.onCaughtUp(end);
      if (end > this.after) this.after = end;
    }
  }
}

function reportTo(subscriber: Subscriber, error: unknown): void {
  try {
    subscriber.onError?.(error);
  } catch {
    // A reporter that throws must not end the subscription that it reports on.
  }
}
