import { Controller, Inject } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { CapabilityState, VersionState } from '../../../libs/capability/state.js';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import * as registry from '../../../libs/contract/registry.js';
import type { CapabilityView, VersionChanged, VersionWithDefinition } from '../../../libs/contract/registry.js';
import * as signers from '../../../libs/contract/signers.js';
import type { PublishersChanged } from '../../../libs/contract/signers.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { defined } from '../../../libs/kernel/defined.js';
import { afterCommit } from '../../../libs/event-log/after-commit.js';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import type { Principal } from '../edge/access.js';
import type { Asked } from '../edge/asked.js';
import { Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { pageOf, type Page } from '../http/paging.js';
import { RegistryCommand, type RegistryReply, type RegistryRequest } from './registry.commands.js';
import { warningsOf } from './version-warnings.js';
import { VersionViews } from './version-view.js';

type Contract = typeof registry;

@Controller()
export class RegistryController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(VersionViews) private readonly views: VersionViews,
  ) {}

  @Handles(registry.registerCapability)
  async register(asked: Asked<Contract['registerCapability']>): Promise<AnswerOf<Contract['registerCapability']>> {
    const { body: registration, caller } = asked;
    const { id } = registration;
    const changed = await this.run(caller, { type: 'register', capability: id, registration, ...asReceived(asked) });
    return { id, ...changed };
  }

  @Handles(registry.proposeVersion)
  propose(asked: Asked<Contract['proposeVersion']>): Promise<VersionChanged> {
    const { params, body: proposal, caller } = asked;
    return this.run(caller, { type: 'propose', capability: params.id, proposal, ...asReceived(asked) });
  }

  @Handles(registry.listCapabilities)
  async list({ query, page }: Asked<Contract['listCapabilities']>): Promise<Page<CapabilityView>> {
    const { status, kind, category, owner, effect } = query;
    const wanted = (version: VersionState): boolean =>
      (status === undefined || version.status === status) &&
      (effect === undefined || Object.values(version.operations).some(({ effects }) => effects.includes(effect)));
    const listed = (state: CapabilityState): boolean =>
      (kind ?? state.kind) === state.kind &&
      (category ?? state.category) === state.category &&
      (owner ?? state.owner) === state.owner &&
      [...state.versions.values()].some(wanted);
    const { items, ...more } = await pageOf(
      (after) => this.after(after, listed),
      ({ id }) => id,
      page,
    );
    return { items: await Promise.all(items.map((state) => this.views.capability(state, wanted))), ...more };
  }

  @Handles(registry.getCapability)
  get({ params: { id } }: Asked<Contract['getCapability']>): Promise<CapabilityView> {
    return this.views.capability(this.capability(id));
  }

  @Handles(registry.getVersion)
  async version({ params: { id, version } }: Asked<Contract['getVersion']>): Promise<VersionWithDefinition> {
    const { capability, state } = this.find(id, version);
    const { view, definition, warnings } = await this.whole(capability, state);
    return defined({ ...view, definition, warnings });
  }

  @Handles(registry.reviewVersion)
  review({ params, body, caller }: Asked<Contract['reviewVersion']>): Promise<VersionChanged> {
    const { exceptions = [], ...review } = body;
    return this.run(caller, { type: 'review', ...subject(params), ...review, exceptions });
  }

  @Handles(registry.amendExceptions)
  amend({ params, body, caller }: Asked<Contract['amendExceptions']>): Promise<VersionChanged> {
    const { add = [], remove = [], reason } = body;
    return this.run(caller, { type: 'amend', ...subject(params), add, remove, reason });
  }

  @Handles(registry.suspendVersion)
  suspend({ params, body, caller }: Asked<Contract['suspendVersion']>): Promise<VersionChanged> {
    return this.run(caller, { type: 'suspend', ...subject(params), ...body });
  }

  @Handles(registry.reinstateVersion)
  reinstate({ params, body, caller }: Asked<Contract['reinstateVersion']>): Promise<VersionChanged> {
    return this.run(caller, { type: 'reinstate', ...subject(params), ...body });
  }

  @Handles(registry.revokeVersion)
  revoke({ params, body, caller }: Asked<Contract['revokeVersion']>): Promise<VersionChanged> {
    return this.run(caller, { type: 'revoke', ...subject(params), ...body });
  }

  @Handles(signers.proposePublishers)
  proposePublishers({ params, body, caller }: Asked<typeof signers.proposePublishers>): Promise<PublishersChanged> {
    return this.publishers(caller, { type: 'propose-publishers', capability: params.id, ...body });
  }

  @Handles(signers.reviewPublishers)
  reviewPublishers({ params, body, caller }: Asked<typeof signers.reviewPublishers>): Promise<PublishersChanged> {
    return this.publishers(caller, { type: 'review-publishers', capability: params.id, ...body });
  }

  private async publishers(caller: Principal, request: RegistryRequest): Promise<PublishersChanged> {
    const { revision, position } = await this.commands.execute(new RegistryCommand(caller, request));
    const { id, publishers, proposedPublishers } = this.capability(request.capability);
    const proposed = proposedPublishers?.publishers;
    return defined({ id, publishers, proposedPublishers: proposed, revision, position: String(position) });
  }

  private async run(caller: Principal, request: RegistryRequest): Promise<VersionChanged> {
    const reply: RegistryReply = await this.commands.execute(new RegistryCommand(caller, request));
    const { capability, state } = this.find(request.capability, reply.version);
    const { view: version, warnings } = await afterCommit(() => this.whole(capability, state));
    return defined({ version, warnings, revision: reply.revision, position: String(reply.position) });
  }

  private async whole(capability: CapabilityState, state: VersionState) {
    // Copied before the wait, because the state is live.
    const { operations, sensitivity } = state;
    const [view, definition] = await Promise.all([this.views.version(capability, state), this.views.definition(state)]);
    return { view, definition, warnings: warningsOf(definition, view.manifest, { operations, sensitivity }) };
  }

  private async *after(
    id: string | undefined,
    listed: (state: CapabilityState) => boolean,
  ): AsyncGenerator<CapabilityState> {
    for await (const state of this.view.capabilitiesFrom(id)) if (state.id !== id && listed(state)) yield state;
  }

  private capability(id: string): CapabilityState {
    const { state } = this.view.capability(id);
    if (state === undefined) throw new Problem('not_found', 'no such capability');
    return state;
  }

  private find(id: string, version: string): { capability: CapabilityState; state: VersionState } {
    const capability = this.capability(id);
    const state = capability.versions.get(version);
    if (state === undefined) throw new Problem('not_found', 'no such version');
    return { capability, state };
  }
}

const subject = ({ id, version }: { readonly id: string; readonly version: string }) => ({ capability: id, version });

/** The body as received: documents are kept as they were written. */
const asReceived = ({ raw, bytes }: { readonly raw: unknown; readonly bytes: number }) => ({
  raw: raw as JsonObject,
  bytes,
});
