import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { textBlob } from '../../../libs/event-log/blobs.js';
import { ControlPlane } from '../../../libs/control/control-plane.js';
import { writeOf } from '../../../libs/streams/facts.js';
import { vetPolicies } from '../../../libs/control/policy-vetting.js';
import { registeredNames } from '../../../libs/control/registered-names.js';
import type { Digest } from '../../../libs/kernel/digest.js';
import { ok } from '../../../libs/kernel/result.js';
import { findingText } from '../../../libs/policy/check.js';
import { policyDecider, proposalWithKey } from '../../../libs/policy/decider.js';
import { unregistered } from '../../../libs/policy/registered.js';
import type { ReviewVerdict } from '../../../libs/vocabulary/words.js';
import type { Principal } from '../edge/access.js';
import { Overloaded, Problem, unwrap } from '../edge/problem.js';
import { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';

/** Most proposals that are vetted at once. */
const MAX_VETTING = 4;

export type PolicyRequest = { readonly set: string } & (
  | { readonly type: 'propose'; readonly cedar: string; readonly reason: string; readonly key?: Digest | undefined }
  | {
      readonly type: 'review';
      readonly policyVersion: number;
      readonly verdict: ReviewVerdict;
      readonly reason: string;
    }
);

export interface PolicyReply {
  readonly policyVersion: number;
  readonly position: bigint;
  /** Names in a proposal that the registry does not hold now, each with its place. */
  readonly warnings: readonly string[];
}

export class PoliciesCommand extends Command<PolicyReply> {
  constructor(
    readonly actor: Principal,
    readonly request: PolicyRequest,
  ) {
    super();
  }
}

/**
 * Proposes and reviews policy sets. A set that does not parse, or that names something no decision asks about, is never
 * proposed.
 */
@CommandHandler(PoliciesCommand)
export class PoliciesHandler implements ICommandHandler<PoliciesCommand> {
  private readonly vetting = new FairShareLimiter(MAX_VETTING, MAX_VETTING);

  constructor(@Inject(ControlPlane) private readonly plane: ControlPlane) {}

  async execute({ actor, request }: PoliciesCommand): Promise<PolicyReply> {
    return request.type === 'propose' ? this.propose(actor, request) : this.review(actor, request);
  }

  /** Each vetting takes a thread and its memory, so few run at once. */
  private async vet({ name }: Principal, cedar: string): ReturnType<typeof vetPolicies> {
    const hold = this.vetting.hold(name);
    if (!hold.take(1)) throw new Overloaded('policies', 'other policies are being read; try again');
    return vetPolicies(cedar).finally(() => hold.end());
  }

  private async propose(actor: Principal, request: Extract<PolicyRequest, { type: 'propose' }>): Promise<PolicyReply> {
    const { set, cedar, reason, key } = request;
    const { errors, names } = await this.vet(actor, cedar);
    if (errors.length > 0) {
      const shown = errors.map((finding) => ({ path: '/cedar' as const, message: findingText(finding) }));
      throw new Problem('malformed_request', 'the policies are not valid', shown);
    }
    const warnings = unregistered(cedar, names, await registeredNames(this.plane.view, names));
    const blob = textBlob(cedar);
    let policyVersion = 0;
    const { position } = unwrap(
      await this.plane.run(actor, (time) => {
        const { state, revision } = this.plane.view.policySet(set);
        const keyed = key === undefined ? {} : { key };
        const command = {
          type: 'propose',
          set,
          cedar: blob.digest,
          reason,
          ...keyed,
          actor: actor.name,
          time,
        } as const;
        const decided = policyDecider.decide(command, state);
        if (!decided.ok) return decided;
        policyVersion = proposalWithKey(state, key)?.policyVersion ?? state.versions.size + 1;
        return ok({ writes: [writeOf(`policy-${set}`, revision, decided.value)], blobs: [blob] });
      }),
    );
    return { policyVersion, position, warnings: warnings.map(findingText) };
  }

  private async review(actor: Principal, request: Extract<PolicyRequest, { type: 'review' }>): Promise<PolicyReply> {
    const { position } = unwrap(
      await this.plane.run(actor, (time) => {
        const { state, revision } = this.plane.view.policySet(request.set);
        const decided = policyDecider.decide({ ...request, actor: actor.name, time }, state);
        return decided.ok ? ok({ writes: [writeOf(`policy-${request.set}`, revision, decided.value)] }) : decided;
      }),
    );
    return { policyVersion: request.policyVersion, position, warnings: [] };
  }
}
