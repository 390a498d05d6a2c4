import { defined } from '../kernel/defined.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import type { InstanceEvent } from '../instance/decider.js';

/** The rollout of a directive, as the wire shows it. */
export interface Propagation {
  readonly id: string;
  readonly epoch: number;
  /** Whether the directive is in force. */
  readonly state: 'active' | 'lifted';
  readonly committedAt: Instant;
  /** No instance with a lease at the commit can still make a call that the directive stops. False once it is lifted. */
  readonly complete: boolean;
  /** The time from which that holds, by the service's clock. */
  readonly effectiveAt?: Instant;
  readonly instances: readonly {
    readonly host: string;
    readonly instanceId: string;
    readonly state: 'acknowledged' | 'lease_expired' | 'pending';
    readonly at?: Instant;
    /** From the commit. */
    readonly latencyMs?: number;
    /** Whether the instance proved that it holds the state; absent if it has not acknowledged. */
    readonly proven?: boolean;
  }[];
}

interface Place {
  readonly host: string;
  readonly instanceId: string;
}

interface Settled {
  readonly state: 'acknowledged' | 'lease_expired';
  readonly atMs: number;
  /** A proof may come after the acknowledgement. */
  proven: boolean;
}

interface Rollout {
  readonly id: string;
  readonly epoch: number;
  readonly committedMs: number;
  readonly settled: Map<string, Settled>;
  /** The instances with a lease at the commit. */
  readonly concerned: ReadonlyMap<string, Place>;
}

/** Directives whose rollout is kept, and the sum of their instances. Older rollouts are computed from the log. */
const MAX_ROLLOUTS = 256;
const MAX_CONCERNED = 100_000;

/** The rollouts of the latest directives, folded from the events of directives and instances in order. */
export class Rollouts {
  /** In order of their epochs. */
  private readonly rollouts = new Map<string, Rollout>();
  private readonly live = new Map<string, Place>();
  private concerned = 0;

  /** `onlyId`: follow this directive alone. */
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

  /** Takes a fact about an instance. Answers the latencies of the directives that it acknowledges, in milliseconds. */
  apply(host: string, { type, data, time }: InstanceEvent): readonly number[] {
    const { instanceId } = data;
    const key = `${host} ${instanceId}`;
    if (type === 'InstanceSeen' || type === 'HostRecovered') this.live.set(key, { host, instanceId });
    else if (type === 'HostStale') this.live.delete(key);
    if (type === 'DirectiveAcknowledged') {
      const { epoch, proven } = data;
      return this.settle(key, { state: 'acknowledged', atMs: toMs(time), proven }, epoch);
    }
    if (type === 'HostStale') {
      const settled = { state: 'lease_expired', atMs: toMs(data.leaseEndedAt), proven: false } as const;
      this.settle(key, settled, Infinity);
    }
    return [];
  }

  /** Undefined if the directive is unknown, or its rollout is no longer kept. */
  of(id: string, state: Propagation['state']): Propagation | undefined {
    const rollout = this.rollouts.get(id);
    if (rollout === undefined) return undefined;
    const { epoch, committedMs, settled, concerned } = rollout;
    const complete = state === 'active' && settled.size === concerned.size;
    const lastMs = Math.max(committedMs, ...[...settled.values()].map(({ atMs }) => atMs));
    const instances = [...concerned].map(([key, place]) => {
      const reached = settled.get(key);
      if (reached === undefined) return { ...place, state: 'pending' as const };
      const { state: how, atMs, proven } = reached;
      const shown = { ...place, state: how, at: toInstant(atMs), latencyMs: atMs - committedMs };
      return how === 'acknowledged' ? { ...shown, proven } : shown;
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

  private settle(key: string, now: Settled, upTo: number): readonly number[] {
    const latenciesMs: number[] = [];
    for (const { epoch, committedMs, settled, concerned } of this.rollouts.values()) {
      if (epoch > upTo || !concerned.has(key)) continue;
      const before = settled.get(key);
      if (before?.state === 'acknowledged' && now.proven) before.proven = true;
      if (before !== undefined) continue;
      // A commit is noticed a moment after it is durable. No instance may seem to have been earlier than the commit.
      const settledMs = Math.max(now.atMs, committedMs);
      settled.set(key, { ...now, atMs: settledMs });
      latenciesMs.push(settledMs - committedMs);
    }
    return latenciesMs;
  }
}
