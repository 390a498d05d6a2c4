import { type KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { DirectiveFeed, FeedSubscription } from '../../feed/port.js';
import { systemClock, toInstant, type Clock, type Instant } from '../../kernel/time.js';
import { ServiceError, type DirectivesClient } from '../service/client.js';
import { Acknowledger } from './acknowledger.js';
import { RoundTrips } from './round-trips.js';
import { HostView, type StaleReason, type ViewState } from './view.js';

export interface FollowerOptions {
  readonly client: DirectivesClient;
  readonly feeds: readonly DirectiveFeed[];
  /** By `kid`. Beats that are signed with other keys do not count. */
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly instanceId: string;
  /** How far clocks may differ, in milliseconds: the service's `SALLYPORT_SKEW_MS`. */
  readonly skewMs?: number;
  readonly clock?: Clock;
}

export interface FeedState {
  readonly name: DirectiveFeed['name'];
  /** When its last beat arrived, on this host's clock, whether the beat counted or not. */
  readonly heardAt: Instant | undefined;
  /** Why it was interrupted; undefined after the next beat. */
  readonly interrupted: string | undefined;
}

export interface FollowerState extends ViewState {
  readonly instanceId: string;
  readonly acknowledgedEpoch: number | undefined;
  readonly feeds: readonly FeedState[];
}

const TICK_MS = 50;
const SKEW_MS = 500;
/** Codes of the service's problems for a token that it does not know, and for one that may not follow directives. */
const REFUSALS = new Set(['unauthenticated', 'forbidden']);

/**
 * Keeps a view of the directives up to date from any number of feeds and from round trips of its own, and tells the
 * service what this instance has applied. It makes a round trip whenever the view asks for one: at the start, after a
 * fault, when clocks are unsure, and when beats fail to renew the lease.
 */
export class DirectiveFollower {
  private readonly view: HostView;
  private readonly roundTrips: RoundTrips;
  private readonly acknowledger: Acknowledger;
  private readonly subscriptions: readonly FeedSubscription[];
  private readonly feedStates: { name: DirectiveFeed['name']; heardAt?: Instant; interrupted?: string | undefined }[];
  private readonly listeners = new Set<(state: FollowerState) => void>();
  private readonly timer: NodeJS.Timeout;
  private readonly clock: Clock;
  private readonly underWay = new Set<Promise<void>>();
  private applied: { readonly epoch: number; readonly at: Instant } | undefined;
  private lastNotified = '';
  private readonly closing = new AbortController();

  constructor(private readonly options: FollowerOptions) {
    const { client, feeds, instanceId, keys, skewMs = SKEW_MS, clock = systemClock } = options;
    const { signal } = this.closing;
    this.clock = clock;
    this.view = new HostView(keys, clock, skewMs);
    this.roundTrips = new RoundTrips(client, this.view, clock, signal);
    this.acknowledger = new Acknowledger(client, instanceId, this.view, clock, signal);
    this.feedStates = feeds.map(({ name }) => ({ name }));
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
    this.subscriptions = feeds.map((feed, index) => this.follow(feed, index));
  }

  state(): FollowerState {
    return {
      ...this.view.state(),
      ...(this.isClosed ? { stale: 'closed' as const, leaseUntil: undefined } : {}),
      instanceId: this.options.instanceId,
      acknowledgedEpoch: this.acknowledger.acknowledgedEpoch,
      feeds: this.feedStates.map(({ name, heardAt, interrupted }) => ({ name, heardAt, interrupted })),
    };
  }

  /** Why no call may be made; undefined if calls may be made. Reads the clocks, so ask right before each call. */
  stale(): StaleReason | undefined {
    return this.isClosed ? 'closed' : this.view.stale();
  }

  /** Whether an allow may no longer be used. */
  isVoid(allow: { readonly epoch: number; readonly targets: readonly string[] }): boolean {
    return this.view.isVoid(allow);
  }

  /** The service's time now, in milliseconds, or earlier: an allow that expires before it has expired. */
  serviceMs(): number {
    return this.view.serviceMs();
  }

  isLeaseOver(): boolean {
    return this.isClosed || this.view.isLeaseOver();
  }

  /** Calls `listener` when the epoch moves and when the host becomes stale or stops being stale. Returns the way to end that. */
  onChange(listener: (state: FollowerState) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * Resolves once calls may be made. Rejects at once if the service refuses this host's token, and after `timeoutMs` with
   * the reason why not.
   */
  async ready(timeoutMs: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + timeoutMs;
    for (;;) {
      const stale = this.stale();
      if (stale === undefined) return;
      const cause = this.roundTrips.lastError;
      if (cause instanceof ServiceError && REFUSALS.has(cause.code)) throw cause;
      if (stale === 'closed' || this.clock.monotonicMs() >= endMs) {
        throw new Error(`the host is not ready: ${stale}`, { cause });
      }
      await delay(5);
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.closing.abort();
    clearInterval(this.timer);
    this.notify();
    await Promise.all(this.subscriptions.map((subscription) => subscription.close()));
    await Promise.all(this.underWay);
  }

  private follow(feed: DirectiveFeed, index: number): FeedSubscription {
    const noted = (change: { heardAt?: Instant; interrupted?: string | undefined }) =>
      Object.assign(this.feedStates[index] ?? {}, change);
    const heardNow = () => noted({ heardAt: toInstant(this.clock.wallMs()), interrupted: undefined });
    return feed.follow(() => this.view.state().epoch, {
      onBeat: (beat) => {
        heardNow();
        this.view.heard(beat);
        this.tick();
      },
      onLoaded: (beats) => {
        heardNow();
        this.view.loaded(beats);
        this.tick();
      },
      onInterrupted: (reason) => void noted({ interrupted: reason }),
    });
  }

  private tick(): void {
    if (this.isClosed) return;
    this.notify();
    if (this.roundTrips.isDue()) this.run(this.roundTrips.ask());
    if (this.acknowledger.isDue())
      this.run(this.acknowledger.acknowledge(() => this.applied?.at ?? toInstant(this.clock.wallMs())));
  }

  private run(work: Promise<void>): void {
    this.underWay.add(work);
    void work.finally(() => {
      this.underWay.delete(work);
      this.tick();
    });
  }

  private notify(): void {
    const state = this.state();
    const { epoch } = state;
    if (epoch !== undefined && epoch !== this.applied?.epoch)
      this.applied = { epoch, at: toInstant(this.clock.wallMs()) };
    const notified = `${epoch} ${state.stale} ${this.isLeaseOver()}`;
    if (notified === this.lastNotified) return;
    this.lastNotified = notified;
    for (const listener of this.listeners) {
      try {
        listener(state);
      } catch (error) {
        // The error goes to the program, and stops neither the other listeners nor the lease.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  private get isClosed(): boolean {
    return this.closing.signal.aborted;
  }
}
