import { z } from 'zod';
import type { Decider } from '../kernel/decider.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { DigestText, NameId, Reason } from '../vocabulary/ids.js';
import { ReviewVerdict } from '../vocabulary/words.js';

/** Facts of stream `policy-<set>`. The Cedar text is the blob `cedar`; an approval puts that version into force. */
export const PolicyProposed = z.strictObject({
  set: NameId,
  policyVersion: z.int().min(1),
  cedar: DigestText,
  reason: Reason,
  /** Digest of the Idempotency-Key that the proposal came with. */
  key: DigestText.optional(),
});
export const PolicyReviewed = z.strictObject({
  set: NameId,
  policyVersion: z.int().min(1),
  verdict: ReviewVerdict,
  reason: Reason,
});
export const policyEventSchemas = { PolicyProposed, PolicyReviewed } as const;

export type PolicyEvent = { readonly actor: string; readonly time: Instant } & (
  | { readonly type: 'PolicyProposed'; readonly data: z.infer<typeof PolicyProposed> }
  | { readonly type: 'PolicyReviewed'; readonly data: z.infer<typeof PolicyReviewed> }
);

export interface PolicyVersionState {
  readonly policyVersion: number;
  readonly cedar: Digest;
  readonly reason: string;
  readonly key?: Digest | undefined;
  readonly proposedBy: string;
  readonly proposedAt: Instant;
  status: 'pending' | 'approved' | 'rejected';
  review?: { readonly verdict: ReviewVerdict; readonly by: string; readonly reason: string; readonly at: Instant };
}

export interface PolicySetState {
  readonly versions: Map<number, PolicyVersionState>;
  /** The version in force: the one that was approved last. */
  active?: PolicyVersionState;
}

export type PolicyCommand = { readonly actor: string; readonly time: Instant; readonly set: string } & (
  | { readonly type: 'propose'; readonly cedar: Digest; readonly reason: string; readonly key?: Digest }
  | {
      readonly type: 'review';
      readonly policyVersion: number;
      readonly verdict: ReviewVerdict;
      readonly reason: string;
    }
);

const MAX_VERSIONS = 10_000;

export const policyDecider: Decider<PolicySetState, PolicyCommand, PolicyEvent, Refusal> = {
  initialState: () => ({ versions: new Map() }),
  decide(command, state) {
    const { actor, time, set } = command;
    if (command.type === 'propose') {
      const { cedar, reason, key } = command;
      const earlier = proposalWithKey(state, key);
      if (earlier !== undefined) {
        return earlier.cedar === cedar && earlier.reason === reason
          ? ok([])
          : err(refusal('already_exists', 'this Idempotency-Key came with another policy'));
      }
      if (state.versions.size >= MAX_VERSIONS) {
        return err(refusal('too_large', `a policy set has at most ${MAX_VERSIONS} versions`));
      }
      const data = defined({ set, policyVersion: state.versions.size + 1, cedar, reason, key });
      return ok([{ type: 'PolicyProposed', data, actor, time }]);
    }
    const { policyVersion, verdict, reason } = command;
    const version = state.versions.get(policyVersion);
    if (version === undefined) return err(refusal('not_found', 'no such policy version'));
    if (version.proposedBy === actor) return err(refusal('self_review', 'who proposed a policy cannot review it'));
    if (version.status !== 'pending') return err(refusal('invalid_transition', `the policy is ${version.status}`));
    return ok([{ type: 'PolicyReviewed', data: { set, policyVersion, verdict, reason }, actor, time }]);
  },
  evolve(state, event) {
    if (event.type === 'PolicyProposed') {
      const { set: _, ...facts } = event.data;
      state.versions.set(facts.policyVersion, {
        ...facts,
        proposedBy: event.actor,
        proposedAt: event.time,
        status: 'pending',
      });
      return state;
    }
    const { policyVersion, verdict, reason } = event.data;
    const version = state.versions.get(policyVersion);
    if (version === undefined) throw new Error('PolicyReviewed of an unknown version');
    version.status = verdict;
    version.review = { verdict, by: event.actor, reason, at: event.time };
    if (verdict === 'approved') state.active = version;
    return state;
  },
};

/** The proposal that an Idempotency-Key belongs to. */
export function proposalWithKey(state: PolicySetState, key: Digest | undefined): PolicyVersionState | undefined {
  if (key === undefined) return undefined;
  return [...state.versions.values()].find((version) => version.key === key);
}
