import { Body, Controller, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { readText } from '../../../libs/event-log/blobs.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { defined } from '../../../libs/kernel/defined.js';
import { digestOf } from '../../../libs/kernel/digest.js';
import { NameId, Reason } from '../../../libs/vocabulary/ids.js';
import { ReviewVerdict } from '../../../libs/vocabulary/words.js';
import { Access, callerOf } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { idempotencyKeyOf } from '../edge/idempotency.js';
import { Problem } from '../edge/problem.js';
import { EVENT_LOG, type EventLog } from '../tokens.js';
import { PoliciesCommand, type PolicyRequest } from './policies.handler.js';

const ProposeBody = z.strictObject({ cedar: z.string().min(1).max(1_000_000), reason: Reason });
const ReviewBody = z.strictObject({ verdict: ReviewVerdict, reason: Reason });
/** Of the versions of a set, the newest are shown with their texts, and the one in force. */
const MAX_SHOWN = 50;
const PolicyVersion = z.coerce.number().int().min(1);

@Controller('v1/policies')
export class PoliciesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  @Post(':set')
  @Access(['registrar'])
  propose(
    @Req() request: FastifyRequest,
    @Param('set') set: string,
    @Body() body: unknown,
  ): Promise<Record<string, unknown>> {
    const proposal = parseInput(ProposeBody, body);
    const key = idempotencyKeyOf(request);
    const keyed = key === undefined ? {} : { key: digestOf({ by: callerOf(request).name, key }) };
    return this.run(request, { type: 'propose', set: parseInput(NameId, set), ...proposal, ...keyed });
  }

  @Post(':set/:policyVersion/review')
  @HttpCode(200)
  @Access(['reviewer'])
  review(
    @Req() request: FastifyRequest,
    @Param('set') set: string,
    @Param('policyVersion') policyVersion: string,
    @Body() body: unknown,
  ): Promise<Record<string, unknown>> {
    const review = parseInput(ReviewBody, body);
    const subject = { set: parseInput(NameId, set), policyVersion: parseInput(PolicyVersion, policyVersion) };
    return this.run(request, { type: 'review', ...subject, ...review });
  }

  @Get(':set')
  @Access('any')
  async get(@Param('set') set: string): Promise<Record<string, unknown>> {
    const { state } = this.view.policySet(parseInput(NameId, set));
    if (state.versions.size === 0) throw new Problem('not_found', 'no such policy set');
    const active = state.active?.policyVersion;
    // Copied before the wait: the state is live.
    const oldest = state.versions.size - MAX_SHOWN;
    const newest = [...state.versions.values()]
      .filter(({ policyVersion }) => policyVersion > oldest || policyVersion === active)
      .map((version) => ({ ...version }));
    const versions = await Promise.all(
      newest.map(async ({ cedar, key: _key, ...version }) => ({
        ...version,
        cedar: await readText(this.log, cedar),
      })),
    );
    return defined({ set, active, versions });
  }

  private async run(request: FastifyRequest, asked: PolicyRequest): Promise<Record<string, unknown>> {
    const { policyVersion, position, warnings } = await this.commands.execute(
      new PoliciesCommand(callerOf(request), asked),
    );
    const status = this.view.policySet(asked.set).state.versions.get(policyVersion)?.status;
    return defined({
      set: asked.set,
      policyVersion,
      status,
      warnings: warnings.length === 0 ? undefined : warnings,
      position: String(position),
    });
  }
}
