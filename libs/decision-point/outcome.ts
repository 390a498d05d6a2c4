import { callsDecider } from '../calls/decider.js';
import type { OutcomeRequest } from '../calls/requests.js';
import type { OutcomeAnswer } from '../contract/calls.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import { LogUnavailable, type Batch } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { inOneTurn } from '../kernel/synchronous.js';
import { sealFact } from '../streams/facts.js';
import type { DecisionPoint } from './decision-point.js';
import type { TaskLane } from './task-lane.js';

const MAX_TRIES = 20;

/** The next step of an outcome. `confirm`: nothing is new, so the recorded outcome only has to be durable. */
type OutcomeStep =
  | { readonly kind: 'again' }
  | { readonly kind: 'refuse'; readonly refusal: Refusal; readonly durable: boolean }
  | { readonly kind: 'confirm' }
  | { readonly kind: 'append'; readonly batch: Batch };

/** Records the outcome of a call. The same outcome again changes nothing. Throws `LogUnavailable`. */
export async function recordOutcome(
  point: DecisionPoint,
  callId: string,
  request: OutcomeRequest,
  caller: Caller,
): Promise<Result<OutcomeAnswer, Refusal>> {
  const { lanes } = point;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const lane = await lanes.get(request.taskId);
    if (lane === undefined || lane.task.host !== caller.name) return err(refusal('not_found', 'no such task'));
    const step = inOneTurn(() => outcomeStep(point, callId, request, caller, lane));
    if (step.kind === 'again') continue;
    if (step.kind === 'refuse') {
      const refused = step.durable ? await lanes.refuseWhenDurable(lane, step.refusal) : err(step.refusal);
      if (refused === 'again') continue;
      return refused;
    }
    const position = await (step.kind === 'confirm' ? lanes.confirm(lane) : lanes.commit(lane, step.batch));
    if (position !== undefined) return ok({ callId, position: String(position) });
  }
  throw new LogUnavailable('the task is too busy to record an outcome');
}

function outcomeStep(
  { view, time }: DecisionPoint,
  callId: string,
  { taskId, status, effect, control }: OutcomeRequest,
  caller: Caller,
  lane: TaskLane,
): OutcomeStep {
  if (lane.givenUp) return { kind: 'again' };
  const precondition = callerPrecondition(view, caller);
  if (!precondition.ok) return { kind: 'refuse', refusal: precondition.error, durable: false };
  const outcome = { callId, taskId, status, ...defined({ effect, control }) };
  const { task, calls, callsStream: stream } = lane;
  const command = { type: 'record-outcome', outcome, actor: caller.name, time: time.now() } as const;
  const decided = callsDecider.decide(command, calls);
  if (!decided.ok) return { kind: 'refuse', refusal: decided.error, durable: true };
  const [fact] = decided.value;
  if (fact === undefined) return { kind: 'confirm' };
  const expected = calls.revision;
  const event = sealFact(stream, expected + 1, fact, { traceId: task.traceId, correlationId: callId });
  return { kind: 'append', batch: { writes: [{ stream, expected, events: [event] }], checks: precondition.value } };
}
