import { randomUUID } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { capabilityDecider, type CapabilityCommand } from '../../../libs/capability/decider.js';
import type { PreparedProposal } from '../../../libs/capability/proposal.js';
import { textBlob } from '../../../libs/event-log/blobs.js';
import { ContentDesk } from '../../../libs/decision-point/content-desk.js';
import { ControlPlane, type Plan } from '../../../libs/control/control-plane.js';
import type { ControlView } from '../../../libs/control/control-view.js';
import { publisherChecks, Signatures, verifyProposal, type Subject } from '../../../libs/control/signatures.js';
import { capabilityWrites } from '../../../libs/control/stops.js';
import { signingPublishers } from '../../../libs/capability/signature.js';
import type { MaybeCapability, VerifiedSignature } from '../../../libs/capability/state.js';
import type { StreamCheck } from '../../../libs/event-log/port.js';
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
    @Inject(Signatures) private readonly signatures: Signatures,
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
    if (request.type === 'review-publishers') await this.signatures.catchUp();
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
    const { view } = this.plane;
    const subject = subjectOf(request, state);
    const verification = prepared && subject && verifyProposal(view, subject, prepared);
    const rests = this.restsOn(request, state);
    const command = commandOf(request, prepared, { ...caused, found: verification?.found, view });
    const decided = capabilityDecider.decide(command, state);
    if (!decided.ok) return decided;
    const writes = capabilityWrites(view, request.capability, decided.value);
    return writes.ok ? ok({ writes: writes.value, checks: verification?.checks ?? rests }) : writes;
  }

  /** An approval rests on the keys that carry the signature: its append checks that none was revoked meanwhile. */
  private restsOn(request: RegistryRequest, state: MaybeCapability): StreamCheck[] {
    const version = request.type === 'review' ? state?.versions.get(request.version) : undefined;
    if (state === undefined || version === undefined) return [];
    return publisherChecks(this.plane.view, signingPublishers(state, version));
  }
}

/** A capability as a statement about it names it: as it is, or as it is about to be registered. */
function subjectOf(request: RegistryRequest, state: MaybeCapability): Subject | undefined {
  if (request.type !== 'register') return state;
  const { kind, category, owner, publishers = [] } = request.registration;
  return { id: request.capability, kind, category, owner, publishers };
}

/** Everything that a command needs, other than its request. */
interface Circumstances {
  readonly actor: string;
  readonly time: Instant;
  readonly directiveId: string;
  readonly found: VerifiedSignature | undefined;
  readonly view: ControlView;
}

function versionOf(request: RegistryRequest): string {
  return 'version' in request ? request.version : '';
}

function commandOf(
  request: RegistryRequest,
  prepared: PreparedProposal | undefined,
  { actor, time, directiveId, found, view }: Circumstances,
): CapabilityCommand {
  switch (request.type) {
    case 'register': {
      const { kind, category, owner, publishers = [] } = request.registration;
      const requestDigest = digestOf(request.raw);
      const registration = { capability: request.capability, kind, category, owner, publishers, requestDigest };
      return { type: 'register', registration, proposal: proposed(prepared), found, actor, time };
    }
    case 'propose':
      return { type: 'propose', proposal: proposed(prepared), found, actor, time };
    case 'review': {
      const { version, verdict, reason, exceptions, quarantine } = request;
      const publisherOf = (id: string) => view.publisher(id).state;
      return { type: 'review', version, verdict, reason, exceptions, quarantine, publisherOf, actor, time };
    }
    case 'propose-publishers':
      return { type: 'propose-publishers', publishers: request.publishers, reason: request.reason, actor, time };
    case 'review-publishers':
      return { type: 'review-publishers', verdict: request.verdict, reason: request.reason, actor, time };
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
