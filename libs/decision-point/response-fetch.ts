import { callerPrecondition, type Caller } from '../control/caller.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import type { Result } from '../kernel/result.js';
import type { ContentDesk } from './content-desk.js';
import { inOneTurn } from '../kernel/synchronous.js';
import type { DecisionPoint } from './decision-point.js';
import { inLane, type LaneStep } from './in-lane.js';
import type { Aside, ResponseAnswer } from './response.js';
import { planDelivery } from './response-delivery.js';
import type { RecordedResponse } from './response-step.js';
import { recordedAnswer } from './response-work.js';
import type { TaskLane } from './task-lane.js';

/** A recorded response, asked for by the host of its call. */
export interface Fetch {
  readonly callId: string;
  readonly taskId: string;
  readonly caller: Caller;
  readonly aside: Aside;
}

/**
 * The recorded response of a call, as far as it may be delivered now. The answer rests on the directives: a stop that was
 * committed before it delivers nothing. Throws `LogUnavailable`.
 */
export function fetchResponse(
  point: DecisionPoint,
  desk: ContentDesk,
  fetch: Fetch,
): Promise<Result<ResponseAnswer, Refusal>> {
  const { lanes } = point;
  return inLane(lanes, {
    taskId: fetch.taskId,
    host: fetch.caller.name,
    purpose: 'read a response',
    plan: (lane) => inOneTurn(() => fetchStep(point, fetch, lane)),
    perform: (lane, step: RecordedResponse) => recordedAnswer(point, desk, fetch.aside, lane, step),
  });
}

function fetchStep({ view }: DecisionPoint, { callId, caller }: Fetch, lane: TaskLane): LaneStep<RecordedResponse> {
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
