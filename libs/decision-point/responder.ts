import type { OutcomeRequest } from '../calls/requests.js';
import type { Caller } from '../control/caller.js';
import { LogUnavailable } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { inOneTurn } from '../kernel/synchronous.js';
import { Turns } from '../offload/turns.js';
import type { ContentDesk } from './content-desk.js';
import type { ResponseText } from './content-jobs.js';
import type { DecisionPoint } from './decision-point.js';
import type { OutcomeAnswer } from '../contract/calls.js';
import type { ReleaseAnswer } from '../contract/responses.js';
import { recordOutcome } from './outcome.js';
import type { Aside, ResponderLimits, Response, ResponseAnswer } from './response.js';
import { fetchResponse } from './response-fetch.js';
import { releaseResponse, type Release } from './response-release.js';
import { nextStep } from './response-step.js';
import { judge, recordedAnswer } from './response-work.js';
import { Submission } from './submission.js';

const MAX_TRIES = 20;
/** From this try on, this thread seals the record at once at any cost: other appends keep taking its place. */
const FIRST_SEALED_TRY = 7;

type Try<Answer> = Result<Answer, Refusal> | 'again';

/** The way back: validates and quotes responses, and records outcomes. Both belong to an attempt that was allowed. */
export class Responder {
  /** Turns for recording large responses. */
  private readonly turns = new Turns();

  constructor(
    private readonly point: DecisionPoint,
    private readonly desk: ContentDesk,
    private readonly limits: ResponderLimits,
  ) {}

  /**
   * Validates a response, once. The same body again gets the recorded answer. If the call was stopped after its allow,
   * or the response comes too late, it is recorded and rejected, and nothing of it is delivered. Each wait that needs
   * no work of this thread runs through `aside`. Throws `LogUnavailable`.
   */
  async respond(
    callId: string,
    text: ResponseText,
    caller: Caller,
    aside: Aside = (wait) => wait(),
  ): Promise<Result<ResponseAnswer, Refusal>> {
    const submission = await aside(() => Submission.of(this.desk, caller.name, text));
    if (!submission.ok) return submission;
    const response = { callId, submission: submission.value, caller, aside };
    try {
      for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
        const outcome = await this.try(response, tries >= FIRST_SEALED_TRY);
        if (outcome !== 'again') return outcome;
      }
      throw new LogUnavailable('the task is too busy to record a response');
    } finally {
      submission.value.endTurn?.();
    }
  }

  /** The recorded response of a call, as far as it may be delivered now. Throws `LogUnavailable`. */
  fetch(
    callId: string,
    taskId: string,
    caller: Caller,
    aside: Aside = (wait) => wait(),
  ): Promise<Result<ResponseAnswer, Refusal>> {
    return fetchResponse(this.point, this.desk, { callId, taskId, caller, aside });
  }

  /** Releases a held response. Throws `LogUnavailable`. */
  release(release: Release): Promise<Result<ReleaseAnswer, Refusal>> {
    return releaseResponse(this.point, release);
  }

  /** Records the outcome of a call. The same outcome again changes nothing. Throws `LogUnavailable`. */
  recordOutcome(callId: string, request: OutcomeRequest, caller: Caller): Promise<Result<OutcomeAnswer, Refusal>> {
    return recordOutcome(this.point, callId, request, caller);
  }

  private async try(response: Response, sealsNow: boolean): Promise<Try<ResponseAnswer>> {
    const { point, desk, limits } = this;
    const { callId, submission, caller, aside } = response;
    const lane = await point.lanes.get(submission.taskId);
    if (lane === undefined || lane.task.host !== caller.name) return err(refusal('not_found', 'no such task'));
    const step = inOneTurn(() => nextStep(point, limits, desk, response, lane, sealsNow));
    switch (step.kind) {
      case 'again':
        return 'again';
      case 'refuse':
        return step.durable ? point.lanes.refuseWhenDurable(lane, step.refusal) : err(step.refusal);
      case 'recorded':
        return recordedAnswer(point, desk, aside, lane, step);
      case 'judge':
        return (await judge(point, desk, limits, response, lane, step)) ?? 'again';
      case 'take_turn':
        // Large records go one at a time: later appends wait less, and fewer records are in memory.
        submission.endTurn = await aside(() => this.turns.take(caller.name));
        return 'again';
      case 'seal': {
        const { place, parts } = step;
        const bytes = await aside(() => desk.seal(caller.name, { key: lane.key, place, parts }));
        submission.keepSealed({ place, parts, bytes });
        return 'again';
      }
      case 'append': {
        const position = await point.lanes.commit(lane, step.batch, step.seen);
        if (position === undefined) return 'again';
        const recorded = lane.calls.calls.get(callId)?.response;
        if (recorded !== undefined) recorded.position = position;
        return ok(step.answerAt(position));
      }
    }
  }
}
