import { callsDecider } from '../calls/decider.js';
import { outcomeTexts, plainDigest, withoutTexts } from '../calls/outcome.js';
import type { OutcomeRequest } from '../calls/requests.js';
import type { OutcomeAnswer } from '../contract/calls.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import { LogUnavailable, type Batch } from '../event-log/port.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { keyedDigest } from '../kernel/digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { inOneTurn } from '../kernel/synchronous.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { sealPayload } from '../payloads/payload.js';
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
  request: OutcomeRequest,
  caller: Caller,
  lane: TaskLane,
): OutcomeStep {
  if (lane.givenUp) return { kind: 'again' };
  const precondition = callerPrecondition(view, caller);
  if (!precondition.ok) return { kind: 'refuse', refusal: precondition.error, durable: false };
  const { task, calls, callsStream: stream, key } = lane;
  const { taskId, status } = request;
  const expected = calls.revision;
  const texts: Readonly<Record<string, string>> = outcomeTexts(request);
  const hasTexts = Object.keys(texts).length > 0;
  const payload = hasTexts ? sealPayload(key, payloadPlace({ stream, revision: expected + 1 }), texts) : undefined;
  const requestDigest = keyedDigest(key, canonicalJson({ callId, ...request }));
  const commitments = payload === undefined ? undefined : { ...payload.commitments };
  const outcome = { callId, taskId, status, ...withoutTexts(request), ...defined({ commitments }), requestDigest };
  const by = { actor: caller.name, time: time.now() };
  const command = { type: 'record-outcome', outcome, plainDigest: plainDigest(callId, request), ...by } as const;
  const decided = callsDecider.decide(command, calls);
  if (!decided.ok) return { kind: 'refuse', refusal: decided.error, durable: true };
  const [fact] = decided.value;
  if (fact === undefined) return { kind: 'confirm' };
  const links = { traceId: task.traceId, correlationId: callId, ...defined({ payload: payload?.bytes }) };
  const event = sealFact(stream, expected + 1, fact, links);
  return { kind: 'append', batch: { writes: [{ stream, expected, events: [event] }], checks: precondition.value } };
}
