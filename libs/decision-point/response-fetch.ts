import { callerPrecondition, type Caller } from '../control/caller.js';
import { LogUnavailable } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, type Result } from '../kernel/result.js';
import { inOneTurn } from '../kernel/synchronous.js';
import type { ContentDesk } from './content-desk.js';
import type { DecisionPoint } from './decision-point.js';
import type { Aside, ResponseAnswer } from './response.js';
import { planDelivery } from './response-delivery.js';
import type { RecordedResponse } from './response-step.js';
import { recordedAnswer } from './response-work.js';
import type { TaskLane } from './task-lane.js';

const MAX_TRIES = 20;

/** A recorded response, asked for by the host of its call. */
export interface Fetch {
  readonly callId: string;
  readonly taskId: string;
  readonly caller: Caller;
  readonly aside: Aside;
}

type FetchStep =
  | { readonly kind: 'again' }
  | { readonly kind: 'refuse'; readonly refusal: Refusal; readonly durable: boolean }
  | RecordedResponse;

/**
 * The recorded response of a call, as far as it may be delivered now. The answer rests on the directives: a stop that was
 * committed before it delivers nothing. Throws `LogUnavailable`.
 */
export async function fetchResponse(
  point: DecisionPoint,
  desk: ContentDesk,
  fetch: Fetch,
): Promise<Result<ResponseAnswer, Refusal>> {
  const { lanes } = point;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const lane = await lanes.get(fetch.taskId);
    if (lane === undefined || lane.task.host !== fetch.caller.name) return err(refusal('not_found', 'no such task'));
    const step = inOneTurn(() => fetchStep(point, fetch, lane));
    if (step.kind === 'again') continue;
    if (step.kind === 'refuse') {
      const refused = step.durable ? await lanes.refuseWhenDurable(lane, step.refusal) : err(step.refusal);
      if (refused === 'again') continue;
      return refused;
    }
    const answer = await recordedAnswer(point, desk, fetch.aside, lane, step);
    if (answer !== 'again') return answer;
  }
  throw new LogUnavailable('the task is too busy to read a response');
}

function fetchStep({ view }: DecisionPoint, { callId, caller }: Fetch, lane: TaskLane): FetchStep {
  if (lane.givenUp) return { kind: 'again' };
  const precondition = callerPrecondition(view, caller);
  if (!precondition.ok) return { kind: 'refuse', refusal: precondition.error, durable: false };
  const call = lane.calls.calls.get(callId);
  const attempt = call?.allowed;
  if (call?.response === undefined || attempt === undefined)
    return { kind: 'refuse', refusal: refusal('not_found', 'no response of this call is recorded'), durable: true };
  const { delivery, checks } = planDelivery(view, lane, call, attempt, true);
  return { kind: 'recorded', call, delivery, precondition: [...precondition.value, ...checks] };
}
