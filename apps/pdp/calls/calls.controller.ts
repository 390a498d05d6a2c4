import { Controller, Inject } from '@nestjs/common';
import { recordOutcome, validateResponse, type OutcomeAnswer } from '../../../libs/contract/calls.js';
import { getResponse, releaseResponse, type ReleaseAnswer } from '../../../libs/contract/responses.js';
import { Responder } from '../../../libs/decision-point/responder.js';
import type { ResponseAnswer } from '../../../libs/decision-point/response.js';
import { ApprovalWaits } from '../approvals/approval-waits.js';
import type { Asked } from '../edge/asked.js';
import { unwrap } from '../edge/problem.js';
import { Handles } from '../http/handles.js';

/** Responses and outcomes of calls. `direct-authorize.ts` serves the question whether a call may be made. */
@Controller()
export class CallsController {
  constructor(
    @Inject(Responder) private readonly responder: Responder,
    @Inject(ApprovalWaits) private readonly waits: ApprovalWaits,
  ) {}

  @Handles(validateResponse, responseText)
  async respond({ params, body, caller }: Asked<typeof validateResponse>): Promise<ResponseAnswer> {
    return unwrap(await this.responder.respond(params.callId, body, caller));
  }

  @Handles(getResponse, responseText)
  async fetch({ params: { callId }, query, caller }: Asked<typeof getResponse>): Promise<ResponseAnswer> {
    const { taskId, waitMs = 0 } = query;
    const fetched = async (): Promise<ResponseAnswer> => unwrap(await this.responder.fetch(callId, taskId, caller));
    const answer = await fetched();
    if (answer.held !== true || waitMs === 0) return answer;
    await this.waits.wait(caller.name, callId, waitMs, async () => (await fetched()).held !== true);
    return fetched();
  }

  @Handles(releaseResponse)
  async release({ params, body, caller }: Asked<typeof releaseResponse>): Promise<ReleaseAnswer> {
    const released = unwrap(await this.responder.release({ ...params, ...body, caller }));
    this.waits.decided(params.callId);
    return released;
  }

  @Handles(recordOutcome)
  async recordOutcome({ params, body, caller }: Asked<typeof recordOutcome>): Promise<OutcomeAnswer> {
    return unwrap(await this.responder.recordOutcome(params.callId, body, caller));
  }
}

/** Writes an answer as JSON around content that is already JSON text. */
function responseText({ content, ...answer }: ResponseAnswer): Buffer {
  const text = JSON.stringify(answer);
  if (content === undefined) return Buffer.from(text);
  return Buffer.concat([Buffer.from(`${text.slice(0, -1)},"content":`), content.buffer, Buffer.from('}')]);
}
