import { z } from 'zod';
import type { Decider } from '../kernel/decider.js';
import type { Digest } from '../kernel/digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { DigestText, InstantText, Uuid } from '../vocabulary/ids.js';

/** Instances of one host that are known at once. Above it, the oldest stale instance is forgotten. */
export const MAX_INSTANCES = 1000;

/** Facts of the stream `instances-<host>`. */
export const InstanceSeen = z.strictObject({ instanceId: Uuid });
export const DirectiveAcknowledged = z.strictObject({
  instanceId: Uuid,
  /** All directives up to this epoch are applied. */
  epoch: z.int().min(0),
  stateRoot: DigestText,
  /** By the clock of the host: evidence only. */
  appliedAt: InstantText,
  /** Whether the instance proved that it holds the state. */
  proven: z.boolean(),
});
/** Version 1 had no proofs. */
export const acknowledgedFromV1 = (data: unknown): unknown => ({ ...(data as object), proven: false });
/** The instance was silent until its lease must have ended, even if it received the last beat. */
export const HostStale = z.strictObject({ instanceId: Uuid, leaseEndedAt: InstantText });
export const HostRecovered = z.strictObject({ instanceId: Uuid });
export const instanceEventSchemas = { InstanceSeen, DirectiveAcknowledged, HostStale, HostRecovered } as const;

export type InstanceEvent = { readonly actor: string; readonly time: Instant } & (
  | { readonly type: 'InstanceSeen'; readonly data: z.infer<typeof InstanceSeen> }
  | { readonly type: 'DirectiveAcknowledged'; readonly data: z.infer<typeof DirectiveAcknowledged> }
  | { readonly type: 'HostStale'; readonly data: z.infer<typeof HostStale> }
  | { readonly type: 'HostRecovered'; readonly data: z.infer<typeof HostRecovered> }
);

export interface InstanceState {
  stale: boolean;
  /** The latest epoch that it acknowledged. */
  acknowledged?: number;
  /** The latest epoch that it acknowledged with a proof. */
  proven?: number;
}

/** The instances of one host by their ids, in the order in which they were first seen. */
export type InstancesState = Map<string, InstanceState>;

export type InstanceCommand = { readonly actor: string; readonly time: Instant; readonly instanceId: string } & (
  | { readonly type: 'see' }
  | {
      readonly type: 'acknowledge';
      readonly epoch: number;
      readonly stateRoot: Digest;
      readonly appliedAt: Instant;
      /** Ours at that epoch; undefined above the head. */
      readonly expectedRoot: Digest | undefined;
      /** Whether the instance has proved that it holds that state. */
      readonly proven: boolean;
    }
  | { readonly type: 'expire-lease'; readonly leaseEndedAt: Instant }
);

export const instanceDecider: Decider<InstancesState, InstanceCommand, InstanceEvent, Refusal> = {
  initialState: () => new Map(),
  decide: (command, state) =>
    command.type === 'expire-lease' ? ok(expireLease(command, state)) : heard(command, state),
  evolve(state, { type, data }) {
    const { instanceId } = data;
    if (type === 'InstanceSeen') {
      if (state.size >= MAX_INSTANCES) state.delete(oldestStale(state) ?? '');
      state.set(instanceId, { stale: false });
      return state;
    }
    const instance = state.get(instanceId);
    if (instance === undefined) throw new Error(`${type} before InstanceSeen`);
    if (type === 'DirectiveAcknowledged') {
      instance.acknowledged = data.epoch;
      if (data.proven) instance.proven = data.epoch;
    } else instance.stale = type === 'HostStale';
    return state;
  },
};

type Heard = Exclude<InstanceCommand, { type: 'expire-lease' }>;

function heard(command: Heard, state: InstancesState): Result<readonly InstanceEvent[], Refusal> {
  const { actor, time, instanceId } = command;
  const by = { actor, time };
  const known = state.get(instanceId);
  if (command.type === 'acknowledge' && command.stateRoot !== command.expectedRoot) {
    const above = command.expectedRoot === undefined;
    return err(refusal('ack_refused', above ? 'there is no such epoch yet' : 'the state at that epoch is another one'));
  }
  if (known === undefined && state.size >= MAX_INSTANCES && oldestStale(state) === undefined) {
    return err(refusal('overloaded', `the host has ${MAX_INSTANCES} instances already`));
  }
  const events: InstanceEvent[] = [];
  if (known === undefined) events.push({ type: 'InstanceSeen', data: { instanceId }, ...by });
  else if (known.stale) events.push({ type: 'HostRecovered', data: { instanceId }, ...by });
  if (command.type === 'acknowledge' && isNews(command, known)) {
    const { epoch, stateRoot, appliedAt, proven } = command;
    const data = { instanceId, epoch, stateRoot, appliedAt, proven };
    events.push({ type: 'DirectiveAcknowledged', data, ...by });
  }
  return ok(events);
}

/** A later epoch, or the first proof of the latest one. */
function isNews(
  { epoch, proven }: Extract<InstanceCommand, { type: 'acknowledge' }>,
  { acknowledged = -1, proven: provenEpoch = -1 }: Partial<InstanceState> = {},
): boolean {
  return epoch > acknowledged || (proven && epoch === acknowledged && provenEpoch < epoch);
}

function expireLease(
  command: Extract<InstanceCommand, { type: 'expire-lease' }>,
  state: InstancesState,
): InstanceEvent[] {
  const { actor, time, instanceId, leaseEndedAt } = command;
  if (state.get(instanceId)?.stale !== false) return [];
  return [{ type: 'HostStale', data: { instanceId, leaseEndedAt }, actor, time }];
}

function oldestStale(state: InstancesState): string | undefined {
  for (const [instanceId, { stale }] of state) if (stale) return instanceId;
  return undefined;
}
