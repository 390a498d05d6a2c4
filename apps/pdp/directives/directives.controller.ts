import { Body, Controller, Get, Header, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ControlView } from '../../../libs/control/control-view.js';
import { Instances } from '../../../libs/fleet/instances.js';
import { canonicalTarget, Target } from '../../../libs/directive/target.js';
import { beatText } from '../../../libs/feed/beat.js';
import { BeatSigner } from '../../../libs/feed/beat-signer.js';
import { defined } from '../../../libs/kernel/defined.js';
import { digestOf } from '../../../libs/kernel/digest.js';
import type { Propagation } from '../../../libs/fleet/rollouts.js';
import { InstantText, Label, Reason, Uuid } from '../../../libs/vocabulary/ids.js';
import { SourceType } from '../../../libs/vocabulary/source.js';
import { Access, callerOf } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { Problem, unwrap } from '../edge/problem.js';
import { createIdOf } from '../edge/idempotency.js';
import { INSTALLATION_SECRET, type InstallationSecret } from '../tokens.js';
import { DirectivesCommand } from './directives.handler.js';
import { TargetMatches } from './matches.js';
import { AckRequest, ListRequest } from './requests.js';

const SOURCE_NEEDS = `needs a type (${SourceType.options.join(', ')}) and a name, as npm:name`;

/** A source of no type could match nothing: the disable would miss by a misspelling. Its one spelling may be longer. */
const isSourceKnown = (target: Target): boolean =>
  target.type !== 'source' ||
  (SourceType.options.some((type) => target.source.startsWith(`${type}:`) && target.source !== `${type}:`) &&
    Label.safeParse(target.source).success);

const IssueBody = z.strictObject({
  id: Uuid.optional(),
  target: Target.transform(canonicalTarget).refine(isSourceKnown, { path: ['source'], message: SOURCE_NEEDS }),
  reason: Reason,
  expiresAt: InstantText.optional(),
});
const LiftBody = z.strictObject({ reason: Reason });

@Controller()
export class DirectivesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(BeatSigner) private readonly signer: BeatSigner,
    @Inject(TargetMatches) private readonly matches: TargetMatches,
    @Inject(Instances) private readonly instances: Instances,
    @Inject(INSTALLATION_SECRET) private readonly secret: InstallationSecret,
  ) {}

  @Post('v1/directives')
  @Access(['operator'])
  async issue(@Req() request: FastifyRequest, @Body() body: unknown): Promise<Record<string, unknown>> {
    const { id: clientId, ...wanted } = parseInput(IssueBody, body);
    const id = createIdOf(request, this.secret, 'directive', clientId);
    const requestDigest = digestOf(wanted);
    const { target, reason, expiresAt } = wanted;
    const asked = defined({ type: 'issue', id, target, reason, requestDigest, expiresAt });
    const { position } = await this.commands.execute(new DirectivesCommand(callerOf(request), asked));
    const matches = await this.matches.of(target, position);
    const issued = this.view.directives().state.all.get(id);
    const { epoch, state, issuedAt } = issued ?? {};
    return { id, epoch, state, target, issuedAt, position: String(position), matches };
  }

  @Post('v1/directives/:id/lift')
  @HttpCode(200)
  @Access(['operator'])
  async lift(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<Record<string, unknown>> {
    const { reason } = parseInput(LiftBody, body);
    const asked = { type: 'lift', id: parseInput(Uuid, id), reason } as const;
    const { position, epoch } = await this.commands.execute(new DirectivesCommand(callerOf(request), asked));
    return { id: asked.id, epoch, position: String(position) };
  }

  @Get('v1/directives')
  @Access('any')
  @Header('content-type', 'application/json; charset=utf-8')
  async list(@Req() request: FastifyRequest): Promise<string> {
    const { instanceId } = parseInput(ListRequest, request.query);
    const beat = await this.signer.snapshot();
    const caller = callerOf(request);
    if (instanceId !== undefined && caller.roles.includes('host')) this.instances.beatLeft(caller, instanceId);
    return beatText(beat);
  }

  @Post('v1/directives/acks')
  @HttpCode(200)
  @Access(['host'])
  async acknowledge(@Req() request: FastifyRequest, @Body() body: unknown): Promise<{ position: string }> {
    const ack = parseInput(AckRequest, body);
    const { position } = unwrap(await this.instances.acknowledge(callerOf(request), ack));
    return { position: String(position) };
  }

  @Get('v1/directives/:id/propagation')
  @Access(['operator', 'auditor'])
  async propagation(@Param('id') id: string): Promise<Propagation> {
    const propagation = await this.instances.propagation(parseInput(Uuid, id));
    if (propagation === undefined) throw new Problem('not_found', 'no such directive');
    return propagation;
  }

  @Get('.well-known/jwks.json')
  @Access('public')
  keys(): { keys: readonly Record<string, string>[] } {
    return { keys: [this.signer.publicKey()] };
  }
}
