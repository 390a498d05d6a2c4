import { Body, Controller, Header, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AuthorizeRequest, OutcomeRequest } from '../../../libs/calls/requests.js';
import type { AuthorizeAnswer } from '../../../libs/decision-point/answer.js';
import { Authorizer } from '../../../libs/decision-point/authorizer.js';
import { Responder, type OutcomeAnswer, type ResponseAnswer } from '../../../libs/decision-point/responder.js';
import type { JsonText } from '../../../libs/kernel/json-text.js';
import { Uuid } from '../../../libs/vocabulary/ids.js';
import { Access, callerOf } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { unwrap } from '../edge/problem.js';
import { traceparentOf } from '../http/traceparent.js';
import { SETTINGS, type Settings } from '../tokens.js';
import { refuseTooLarge } from './limits.js';

/** The hot path: no bus between the request and the decision. */
@Controller('v1/calls')
export class CallsController {
  constructor(
    @Inject(Authorizer) private readonly authorizer: Authorizer,
    @Inject(Responder) private readonly responder: Responder,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /** A decision is a 200, allow or deny. The body may carry a definition, hence its limit. */
  @Post('authorize')
  @HttpCode(200)
  @Access(['host'], 'definitionBytes')
  async authorize(@Req() request: FastifyRequest, @Body() body: unknown): Promise<AuthorizeAnswer> {
    const asked = parseInput(AuthorizeRequest, body);
    refuseTooLarge(asked, request.bodyBytes ?? 0, this.settings.limits);
    return unwrap(await this.authorizer.authorize(asked, callerOf(request), traceparentOf(request)));
  }

  @Post(':callId/response')
  @HttpCode(200)
  @Access(['host'], 'responseBytes')
  @Header('content-type', 'application/json; charset=utf-8')
  async respond(
    @Req() request: FastifyRequest,
    @Param('callId') callId: string,
    @Body() body: JsonText | undefined,
  ): Promise<Buffer> {
    const text = { body: body?.bytes ?? new Uint8Array() };
    return responseText(unwrap(await this.responder.respond(parseInput(Uuid, callId), text, callerOf(request))));
  }

  @Post(':callId/outcome')
  @HttpCode(200)
  @Access(['host'])
  async recordOutcome(
    @Req() request: FastifyRequest,
    @Param('callId') callId: string,
    @Body() body: unknown,
  ): Promise<OutcomeAnswer> {
    const outcome = parseInput(OutcomeRequest, body);
    return unwrap(await this.responder.recordOutcome(parseInput(Uuid, callId), outcome, callerOf(request)));
  }
}

/** An answer as JSON, around content that has been written already. */
function responseText({ content, ...answer }: ResponseAnswer): Buffer {
  const text = JSON.stringify(answer);
  if (content === undefined) return Buffer.from(text);
  return Buffer.concat([Buffer.from(`${text.slice(0, -1)},"content":`), content.buffer, Buffer.from('}')]);
}
