import { setTimeout as pause } from 'node:timers/promises';
import type { ReadAllOptions, RecordedEvent, SubscribeOptions, Subscriber, Subscription } from './port.js';

/** Events of one read, and the end of the log as that same read saw it. */
export interface Page {
  readonly events: readonly RecordedEvent[];
  readonly end: bigint;
  /** The page was full: more may follow before `end`. */
  readonly more: boolean;
}

/** What has been committed, where that is known; for logs whose positions have no gaps. */
export interface Appended {
  readonly categories: ReadonlySet<string>;
  /** How many events there were, and the position of the last of them. */
  readonly events: number;
  readonly position: bigint;
}

/** Under load one read serves the appends of this long, instead of a read for each. */
const INTERVAL_MS = 4;
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 5_000;

/** The subscriptions of one log. Nothing polls: they read when they start and whenever `wake` is called. */
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
   * Something may have been appended. With `appended` it is known what: whoever has seen all that lies before it and
   * follows other categories need not read to know that it has caught up.
   */
  wake(appended?: Appended): void {
    for (const follower of this.open) if (appended === undefined || !follower.passOver(appended)) follower.wake();
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
    this.intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.lastReadMs = -this.intervalMs;
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

  /** True where this follower has caught up and what was appended is not its own: it has caught up with that too. */
  passOver({ categories, events, position }: Appended): boolean {
    const { categories: wanted } = this.options;
    if (wanted === undefined || this.stale || this.sleeper === undefined) return false;
    if (wanted.some((category) => categories.has(category))) return false;
    // Something else lies in between, or it was a repeat: the log knows.
    if (this.after + BigInt(events) !== position) return false;
    try {
      this.after = position;
      this.subscriber.onCaughtUp(position);
    } catch (error) {
      reportTo(this.subscriber, error);
    }
    return true;
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
    if (!this.stale) {
      await new Promise<void>((resolve) => (this.sleeper = resolve));
      this.sleeper = undefined;
      return;
    }
    await this.untilDue();
    if (this.stopping.signal.aborted) return;
    this.stale = false;
    this.hurried = false;
    const { categories } = this.options;
    const { events, end, more } = await this.readPage({
      after: this.after,
      ...(categories === undefined ? {} : { categories }),
    });
    if (this.stopping.signal.aborted) return;
    const last = events.at(-1);
    if (last !== undefined) {
      await this.subscriber.onEvents(events);
      this.after = last.position;
    }
    if (more) {
      this.stale = true;
      this.hurried = true;
    } else if (!this.stopping.signal.aborted) {
      this.subscriber.onCaughtUp(end);
      if (end > this.after) this.after = end;
    }
  }

  /** Lets the interval since the last read pass, unless somebody is in a hurry. */
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
