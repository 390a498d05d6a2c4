import { type KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { DirectiveFeed, FeedSubscription } from '../../feed/port.js';
import { systemClock, toInstant, type Clock, type Instant } from '../../kernel/time.js';
import { ServiceError, type DirectivesClient } from '../service/client.js';
import { HostView, type StaleReason, type ViewState } from './view.js';

export interface FollowerOptions {
  readonly client: DirectivesClient;
  readonly feeds: readonly DirectiveFeed[];
  /** By `kid`. Beats of other keys count for nothing. */
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly instanceId: string;
  /** How far clocks may be apart: the service's `SALLYPORT_SKEW_MS`. */
  readonly skewMs?: number;
  readonly clock?: Clock;
}

export interface FeedState {
  readonly name: DirectiveFeed['name'];
  /** When the last beat came by it, on this host's clock, whether it counted or not. */
  readonly heardAt: Instant | undefined;
  /** Why it was interrupted; undefined once a beat has come since. */
  readonly interrupted: string | undefined;
}

export interface FollowerState extends ViewState {
  readonly instanceId: string;
  readonly acknowledgedEpoch: number | undefined;
  readonly feeds: readonly FeedState[];
}

const TICK_MS = 50;
const [MIN_WAIT_MS, MAX_WAIT_MS] = [50, 1000];
/** Instances hear of a directive all at once, and none may hear later because others are telling that they have. */
const ACKNOWLEDGE_WITHIN_MS = 50;
/** Codes of the service's problems for a token that it does not know, and for one that may not follow directives. */
const REFUSALS = new Set(['unauthenticated', 'forbidden']);
/** After this long without a question the waits between them begin anew. */
const CALM_MS = 2000;

/**
 * Keeps a view of the directives up to date from any number of feeds and from round trips of its own, and tells the
 * service what this instance has applied. It makes a call of the service whenever the view asks for one: at the start,
 * after a fault, when clocks are unsure, and when beats fail to renew the lease.
 */
export class DirectiveFollower {
  private readonly view: HostView;
  private readonly subscriptions: readonly FeedSubscription[];
  private readonly feedStates: { name: DirectiveFeed['name']; heardAt?: Instant; interrupted?: string | undefined }[];
  private readonly listeners = new Set<(state: FollowerState) => void>();
  private readonly timer: NodeJS.Timeout;
  private readonly clock: Clock;
  private readonly underWay = new Set<Promise<void>>();
  private isAsking = false;
  /** Why the last question had no answer. */
  private askError: unknown;
  private askedMs = Number.NEGATIVE_INFINITY;
  private askAfterMs = Number.NEGATIVE_INFINITY;
  private askWaitMs = MIN_WAIT_MS;
  private isAcknowledging = false;
  private acknowledgeAfterMs = Number.NEGATIVE_INFINITY;
  private acknowledgedEpoch: number | undefined;
  private applied: { readonly epoch: number; readonly at: Instant } | undefined;
  private told = '';
  private readonly closing = new AbortController();

  constructor(private readonly options: FollowerOptions) {
    this.clock = options.clock ?? systemClock;
    this.view = new HostView(options.keys, this.clock, options.skewMs ?? 500);
    this.feedStates = options.feeds.map(({ name }) => ({ name }));
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
    this.subscriptions = options.feeds.map((feed, index) => this.follow(feed, index));
  }

  state(): FollowerState {
    return {
      ...this.view.state(),
      ...(this.isClosed ? { stale: 'closed' as const, leaseUntil: undefined } : {}),
      instanceId: this.options.instanceId,
      acknowledgedEpoch: this.acknowledgedEpoch,
      feeds: this.feedStates.map(({ name, heardAt, interrupted }) => ({ name, heardAt, interrupted })),
    };
  }

  /** Undefined where calls may be made; else why none may. Looks at the clocks, so ask right before each call. */
  stale(): StaleReason | undefined {
    return this.isClosed ? 'closed' : this.view.stale();
  }

  /** Whether what was allowed may no longer go on. */
  isVoid(allow: { readonly epoch: number; readonly targets: readonly string[] }): boolean {
    return this.view.isVoid(allow);
  }

  /** At most the service's time now, in milliseconds: what ends before it has ended. */
  serviceMs(): number {
    return this.view.serviceMs();
  }

  isLeaseOver(): boolean {
    return this.isClosed || this.view.isLeaseOver();
  }

  /** Called when the epoch has moved and when the host begins or ceases to be stale. Answers with the way to stop it. */
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
      const cause = this.askError;
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
    this.tell();
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
    this.tell();
    const nowMs = this.clock.monotonicMs();
    if (!this.isAsking && nowMs >= this.askAfterMs && this.view.wantsRoundTrip()) this.run(this.ask(nowMs));
    const { epoch } = this.view.state();
    if (this.isAcknowledging || epoch === undefined) return;
    if (epoch !== this.acknowledgedEpoch || nowMs >= this.acknowledgeAfterMs) this.run(this.acknowledge());
  }

  private run(work: Promise<void>): void {
    this.underWay.add(work);
    void work.finally(() => this.underWay.delete(work));
  }

  private async ask(nowMs: number): Promise<void> {
    this.isAsking = true;
    if (nowMs - this.askedMs > CALM_MS) this.askWaitMs = MIN_WAIT_MS;
    this.askedMs = nowMs;
    const asked = this.view.asking();
    try {
      const answer = await this.options.client.directives(this.closing.signal);
      if (!this.isClosed) this.view.answered(answer, asked);
      this.askError = undefined;
    } catch (error) {
      // The question is asked again; meanwhile the lease runs out.
      this.askError = error;
    }
    this.askAfterMs = this.clock.monotonicMs() + this.askWaitMs * (0.5 + Math.random() / 2);
    this.askWaitMs = Math.min(this.askWaitMs * 2, MAX_WAIT_MS);
    this.isAsking = false;
    this.tick();
  }

  /** After each epoch, and often enough to show that this instance lives. */
  private async acknowledge(): Promise<void> {
    this.isAcknowledging = true;
    const { signal } = this.closing;
    await delay(Math.random() * ACKNOWLEDGE_WITHIN_MS, undefined, { signal }).catch(() => undefined);
    const { epoch, stateRoot, leaseMs = MAX_WAIT_MS } = this.view.state();
    if (this.isClosed || epoch === undefined || stateRoot === undefined) return void (this.isAcknowledging = false);
    const appliedAt = this.applied?.at ?? toInstant(this.clock.wallMs());
    try {
      const { client, instanceId } = this.options;
      if (await client.acknowledge({ instanceId, epoch, stateRoot, appliedAt }, signal)) {
        this.acknowledgedEpoch = epoch;
        this.acknowledgeAfterMs = this.clock.monotonicMs() + leaseMs / 2;
      } else {
        this.view.fail('ack_refused');
        await this.pause();
      }
    } catch {
      await this.pause();
    }
    this.isAcknowledging = false;
    this.tick();
  }

  private async pause(): Promise<void> {
    const waitMs = MAX_WAIT_MS * (0.5 + Math.random() / 2);
    await delay(waitMs, undefined, { signal: this.closing.signal }).catch(() => undefined);
  }

  private tell(): void {
    const state = this.state();
    const { epoch } = state;
    if (epoch !== undefined && epoch !== this.applied?.epoch)
      this.applied = { epoch, at: toInstant(this.clock.wallMs()) };
    const said = `${epoch} ${state.stale} ${this.isLeaseOver()}`;
    if (said === this.told) return;
    this.told = said;
    for (const listener of this.listeners) {
      try {
        listener(state);
      } catch (error) {
        // It is its owner's to handle, and stops neither the others nor the lease.
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
