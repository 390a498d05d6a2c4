import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CapabilityRegistration, MAX_OPERATIONS, VersionProposal } from '../../../libs/capability/manifest.js';
import type { CapabilityState, VersionState } from '../../../libs/capability/state.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { afterCommit } from '../../../libs/event-log/after-commit.js';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import { Label, NameId, Reason, VersionId } from '../../../libs/vocabulary/ids.js';
import {
  Effect,
  ExceptionCode,
  Kind,
  ReasonCode,
  ReviewVerdict,
  VersionStatus,
} from '../../../libs/vocabulary/words.js';
import { Access, callerOf } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { pageOf, type Page } from '../http/paging.js';
import { Problem } from '../edge/problem.js';
import { RegistryCommand, type RegistryReply, type RegistryRequest } from './registry.commands.js';
import { VersionViews, type CapabilityView, type VersionView } from './version-view.js';

const Exceptions = z.array(ExceptionCode).max(MAX_OPERATIONS + ReasonCode.options.length);
const ReviewBody = z.strictObject({
  verdict: ReviewVerdict,
  reason: Reason,
  exceptions: Exceptions.optional(),
  expectedRevision: z.int().min(0).optional(),
});
const AmendBody = z
  .strictObject({ add: Exceptions.optional(), remove: Exceptions.optional(), reason: Reason })
  .refine(({ add = [], remove = [] }) => add.length + remove.length > 0, 'needs an exception to add or to remove');
const ReasonBody = z.strictObject({ reason: Reason });
const ListQuery = z.object({
  status: VersionStatus.optional(),
  kind: Kind.optional(),
  category: NameId.optional(),
  owner: Label.optional(),
  effect: Effect.optional(),
});

/** The reply to a command on a version. */
interface Replied {
  readonly version: VersionView;
  readonly revision: number;
  readonly position: string;
}

@Controller('v1/capabilities')
export class RegistryController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(VersionViews) private readonly views: VersionViews,
  ) {}

  @Post()
  @Access(['registrar'], 'definitionBytes')
  async register(@Req() request: FastifyRequest, @Body() raw: JsonObject): Promise<Replied & { id: string }> {
    const registration = parseInput(CapabilityRegistration, raw);
    const { id } = registration;
    const bytes = request.bodyBytes ?? 0;
    return { id, ...(await this.run(request, { type: 'register', capability: id, registration, raw, bytes })) };
  }

  @Post(':id/versions')
  @Access(['registrar'], 'definitionBytes')
  propose(@Req() request: FastifyRequest, @Param('id') id: string, @Body() raw: JsonObject): Promise<Replied> {
    const proposal = parseInput(VersionProposal, raw);
    const bytes = request.bodyBytes ?? 0;
    return this.run(request, { type: 'propose', capability: parseInput(NameId, id), proposal, raw, bytes });
  }

  @Get()
  @Access('any')
  async list(@Query() query: unknown): Promise<Page<CapabilityView>> {
    const { status, kind, category, owner, effect } = parseInput(ListQuery, query);
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
      query,
    );
    return { items: await Promise.all(items.map((state) => this.views.capability(state, wanted))), ...more };
  }

  @Get(':id')
  @Access('any')
  get(@Param('id') id: string): Promise<CapabilityView> {
    return this.views.capability(this.capability(id));
  }

  @Get(':id/versions/:version')
  @Access('any')
  async version(
    @Param('id') id: string,
    @Param('version') version: string,
  ): Promise<VersionView & { definition: unknown }> {
    const { capability, state } = this.find(id, version);
    const definition = await this.views.definition(state);
    return { ...(await this.views.version(capability, state)), definition };
  }

  @Post(':id/versions/:version/review')
  @HttpCode(200)
  @Access(['reviewer'])
  review(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('version') version: string,
    @Body() body: unknown,
  ): Promise<Replied> {
    const { exceptions = [], ...review } = parseInput(ReviewBody, body);
    return this.run(request, { type: 'review', ...subject(id, version), ...review, exceptions });
  }

  @Post(':id/versions/:version/exceptions')
  @HttpCode(200)
  @Access(['reviewer'])
  amend(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('version') version: string,
    @Body() body: unknown,
  ): Promise<Replied> {
    const { add = [], remove = [], reason } = parseInput(AmendBody, body);
    return this.run(request, { type: 'amend', ...subject(id, version), add, remove, reason });
  }

  @Post(':id/versions/:version/suspend')
  @HttpCode(200)
  @Access(['reviewer', 'operator'])
  suspend(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('version') version: string,
    @Body() body: unknown,
  ): Promise<Replied> {
    return this.run(request, { type: 'suspend', ...subject(id, version), ...parseInput(ReasonBody, body) });
  }

  @Post(':id/versions/:version/reinstate')
  @HttpCode(200)
  @Access(['reviewer'])
  reinstate(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('version') version: string,
    @Body() body: unknown,
  ): Promise<Replied> {
    return this.run(request, { type: 'reinstate', ...subject(id, version), ...parseInput(ReasonBody, body) });
  }

  @Post(':id/versions/:version/revoke')
  @HttpCode(200)
  @Access(['reviewer', 'operator'])
  revoke(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('version') version: string,
    @Body() body: unknown,
  ): Promise<Replied> {
    return this.run(request, { type: 'revoke', ...subject(id, version), ...parseInput(ReasonBody, body) });
  }

  private async run(request: FastifyRequest, asked: RegistryRequest): Promise<Replied> {
    const reply: RegistryReply = await this.commands.execute(new RegistryCommand(callerOf(request), asked));
    const { capability, state } = this.find(asked.capability, reply.version);
    const version = await afterCommit(() => this.views.version(capability, state));
    return { version, revision: reply.revision, position: String(reply.position) };
  }

  private async *after(
    id: string | undefined,
    listed: (state: CapabilityState) => boolean,
  ): AsyncGenerator<CapabilityState> {
    for await (const state of this.view.capabilitiesFrom(id)) if (state.id !== id && listed(state)) yield state;
  }

  private capability(id: string): CapabilityState {
    const { state } = this.view.capability(parseInput(NameId, id));
    if (state === undefined) throw new Problem('not_found', 'no such capability');
    return state;
  }

  private find(id: string, version: string): { capability: CapabilityState; state: VersionState } {
    const capability = this.capability(id);
    const state = capability.versions.get(parseInput(VersionId, version));
    if (state === undefined) throw new Problem('not_found', 'no such version');
    return { capability, state };
  }
}

const subject = (id: string, version: string) => ({
  capability: parseInput(NameId, id),
  version: parseInput(VersionId, version),
});
