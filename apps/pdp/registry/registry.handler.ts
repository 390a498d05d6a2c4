import { randomUUID } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { capabilityDecider, type CapabilityCommand } from '../../../libs/capability/decider.js';
import type { PreparedProposal } from '../../../libs/capability/proposal.js';
import { textBlob } from '../../../libs/event-log/blobs.js';
import { ContentDesk } from '../../../libs/decision-point/content-desk.js';
import { ControlPlane, type Plan } from '../../../libs/control/control-plane.js';
import { capabilityWrites } from '../../../libs/control/stops.js';
import { isJsonObject, ownValue } from '../../../libs/kernel/canonical-json.js';
import { digestOf } from '../../../libs/kernel/digest.js';
import { refusal, type Refusal } from '../../../libs/kernel/refusal.js';
import { err, ok, type Result } from '../../../libs/kernel/result.js';
import type { Instant } from '../../../libs/kernel/time.js';
import { unwrap } from '../edge/problem.js';
import { RegistryCommand, type RegistryReply, type RegistryRequest } from './registry.commands.js';

/** Registers, proposes, reviews, suspends, reinstates and revokes: load, decide, append, reply. */
@CommandHandler(RegistryCommand)
export class RegistryHandler implements ICommandHandler<RegistryCommand> {
  constructor(
    @Inject(ControlPlane) private readonly plane: ControlPlane,
    @Inject(ContentDesk) private readonly desk: ContentDesk,
  ) {}

  async execute({ actor, request }: RegistryCommand): Promise<RegistryReply> {
    const prepared = unwrap(await this.prepare(actor.name, request));
    const blobs = [...(prepared?.documents.values() ?? [])].map(textBlob);
    const directiveId = randomUUID();
    const { position } = unwrap(
      await this.plane.run(actor, (now) => {
        const planned = this.plan(request, prepared, { actor: actor.name, time: now, directiveId });
        return planned.ok ? ok({ ...planned.value, blobs }) : planned;
      }),
    );
    const { revision } = this.plane.view.capability(request.capability);
    return { version: prepared?.proposed.version ?? versionOf(request), revision, position };
  }

  /**
   * The proposal in a request, if it brings one. It depends only on the request, so it is made before anything is
   * decided.
   */
  private async prepare(
    owner: string,
    request: RegistryRequest,
  ): Promise<Result<PreparedProposal | undefined, Refusal>> {
    if (request.type !== 'propose' && request.type !== 'register') return ok(undefined);
    const { capability, bytes } = request;
    if (request.type === 'propose') {
      const { proposal, raw } = request;
      return this.desk.prepare(owner, bytes, { capability, proposal, raw });
    }
    const raw = ownValue(request.raw, 'version');
    const { version: proposal } = request.registration;
    return this.desk.prepare(owner, bytes, { capability, proposal, raw: isJsonObject(raw) ? raw : {} });
  }

  private plan(
    request: RegistryRequest,
    prepared: PreparedProposal | undefined,
    caused: { actor: string; time: Instant; directiveId: string },
  ): Result<Plan, Refusal> {
    const { state, revision } = this.plane.view.capability(request.capability);
    const isThere = state?.versions.has(versionOf(request)) === true;
    if (request.type === 'review' && isThere && (request.expectedRevision ?? revision) !== revision) {
      return err(refusal('revision_conflict', `the capability is at revision ${revision}`));
    }
    const decided = capabilityDecider.decide(commandOf(request, prepared, caused), state);
    if (!decided.ok) return decided;
    const writes = capabilityWrites(this.plane.view, request.capability, decided.value);
    return writes.ok ? ok({ writes: writes.value }) : writes;
  }
}

function versionOf(request: RegistryRequest): string {
  return 'version' in request ? request.version : '';
}

function commandOf(
  request: RegistryRequest,
  prepared: PreparedProposal | undefined,
  { actor, time, directiveId }: { actor: string; time: Instant; directiveId: string },
): CapabilityCommand {
  switch (request.type) {
    case 'register': {
      const { kind, category, owner, publishers = [] } = request.registration;
      const requestDigest = digestOf(request.raw);
      const registration = { capability: request.capability, kind, category, owner, publishers, requestDigest };
      return { type: 'register', registration, proposal: proposed(prepared), actor, time };
    }
    case 'propose':
      return { type: 'propose', proposal: proposed(prepared), actor, time };
    case 'review': {
      const { version, verdict, reason, exceptions, quarantine } = request;
      return { type: 'review', version, verdict, reason, exceptions, quarantine, actor, time };
    }
    case 'amend': {
      const { version, add, remove, reason } = request;
      return { type: 'amend', version, add, remove, reason, actor, time };
    }
    case 'reinstate':
      return { type: 'reinstate', version: request.version, reason: request.reason, actor, time };
    default:
      return { type: request.type, version: request.version, reason: request.reason, directiveId, actor, time };
  }
}

function proposed(prepared: PreparedProposal | undefined): PreparedProposal['proposed'] {
  if (prepared === undefined) throw new Error('a proposal that was not prepared');
  return prepared.proposed;
}
