import { defined } from '../kernel/defined.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import type { InstanceEvent } from './decider.js';

/** How far a directive has got. */
export interface Propagation {
  readonly id: string;
  readonly epoch: number;
  /** Whether the directive is in force. */
  readonly state: 'active' | 'lifted';
  readonly committedAt: Instant;
  /** No instance that held a lease at the commit can make a call that the directive stops: never true once it is lifted. */
  readonly complete: boolean;
  /** Since when that is so, on the service's clock. */
  readonly effectiveAt?: Instant;
  readonly instances: readonly {
    readonly host: string;
    readonly instanceId: string;
    readonly state: 'acknowledged' | 'lease_expired' | 'pending';
    readonly at?: Instant;
    /** From the commit. */
    readonly latencyMs?: number;
  }[];
}

interface Place {
  readonly host: string;
  readonly instanceId: string;
}

interface Rollout {
  readonly id: string;
  readonly epoch: number;
  readonly committedMs: number;
  readonly settled: Map<string, { readonly state: 'acknowledged' | 'lease_expired'; readonly atMs: number }>;
  /** Those that held a lease at the commit. */
  readonly concerned: ReadonlyMap<string, Place>;
}

/** Directives whose rollout is kept, and instances of all of them together; older ones are worked out from the log. */
const MAX_ROLLOUTS = 256;
const MAX_CONCERNED = 100_000;

/** The rollouts of the latest directives, folded from directives and from what is known of instances, in order. */
export class Rollouts {
  /** In order of their epochs. */
  private readonly rollouts = new Map<string, Rollout>();
  private readonly live = new Map<string, Place>();
  private concerned = 0;

  /** `onlyId`: of all directives this one alone. */
  constructor(private readonly onlyId?: string) {}

  /** `committedMs`: since the Unix epoch. */
  issued(id: string, epoch: number, committedMs: number): void {
    if (this.onlyId !== undefined && this.onlyId !== id) return;
    this.rollouts.set(id, { id, epoch, committedMs, settled: new Map(), concerned: new Map(this.live) });
    this.concerned += this.live.size;
    for (const [oldest, { concerned }] of this.rollouts) {
      if (this.rollouts.size <= MAX_ROLLOUTS && this.concerned <= MAX_CONCERNED) return;
      if (oldest === id) return;
      this.rollouts.delete(oldest);
      this.concerned -= concerned.size;
    }
  }

  /** A fact about an instance. Answers the latencies of what it acknowledges, in milliseconds. */
  apply(host: string, { type, data, time }: InstanceEvent): readonly number[] {
    const { instanceId } = data;
    const key = `${host} ${instanceId}`;
    if (type === 'InstanceSeen' || type === 'HostRecovered') this.live.set(key, { host, instanceId });
    else if (type === 'HostStale') this.live.delete(key);
    if (type === 'DirectiveAcknowledged') return this.settle(key, 'acknowledged', toMs(time), data.epoch);
    if (type === 'HostStale') this.settle(key, 'lease_expired', toMs(data.leaseEndedAt), Infinity);
    return [];
  }

  /** Undefined where the directive is unknown, or its rollout is not kept any more. */
  of(id: string, state: Propagation['state']): Propagation | undefined {
    const rollout = this.rollouts.get(id);
    if (rollout === undefined) return undefined;
    const { epoch, committedMs, settled, concerned } = rollout;
    const complete = state === 'active' && settled.size === concerned.size;
    const lastMs = Math.max(committedMs, ...[...settled.values()].map(({ atMs }) => atMs));
    const instances = [...concerned].map(([key, place]) => {
      const reached = settled.get(key);
      if (reached === undefined) return { ...place, state: 'pending' as const };
      return { ...place, state: reached.state, at: toInstant(reached.atMs), latencyMs: reached.atMs - committedMs };
    });
    return defined({
      id,
      epoch,
      state,
      committedAt: toInstant(committedMs),
      complete,
      effectiveAt: complete ? toInstant(lastMs) : undefined,
      instances,
    });
  }

  private settle(key: string, state: 'acknowledged' | 'lease_expired', atMs: number, upTo: number): readonly number[] {
    const latenciesMs: number[] = [];
    for (const { epoch, committedMs, settled, concerned } of this.rollouts.values()) {
      if (epoch > upTo || !concerned.has(key) || settled.has(key)) continue;
      // A commit is noticed a moment later than it is durable: nobody is told to have been before it.
      const settledMs = Math.max(atMs, committedMs);
      settled.set(key, { state, atMs: settledMs });
      latenciesMs.push(settledMs - committedMs);
    }
    return latenciesMs;
  }
}
