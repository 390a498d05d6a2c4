import { callsDecider } from '../calls/decider.js';
import { outcomeTexts, plainDigest, withoutTexts } from '../calls/outcome.js';
import type { OutcomeRequest } from '../calls/requests.js';
import type { OutcomeAnswer } from '../contract/calls.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import type { Batch } from '../event-log/port.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { keyedDigest } from '../kernel/digest.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { sealPayload } from '../payloads/payload.js';
import { sealFact } from '../streams/facts.js';
import { inOneTurn } from '../kernel/synchronous.js';
import type { DecisionPoint } from './decision-point.js';
import { inLane, type LaneStep } from './in-lane.js';
import type { TaskLane } from './task-lane.js';

/** The next step of an outcome. `confirm`: nothing is new, so the recorded outcome only has to be durable. */
type OutcomeStep = { readonly kind: 'confirm' } | { readonly kind: 'append'; readonly batch: Batch };

/** Records the outcome of a call. The same outcome again changes nothing. Throws `LogUnavailable`. */
export function recordOutcome(
  point: DecisionPoint,
  callId: string,
  request: OutcomeRequest,
  caller: Caller,
): Promise<Result<OutcomeAnswer, Refusal>> {
  const { lanes } = point;
  return inLane(lanes, {
    taskId: request.taskId,
    host: caller.name,
    purpose: 'record an outcome',
    plan: (lane) => inOneTurn(() => outcomeStep(point, callId, request, caller, lane)),
    async perform(lane, step: OutcomeStep) {
      const position = await (step.kind === 'confirm' ? lanes.confirm(lane) : lanes.commit(lane, step.batch));
      return position === undefined ? 'again' : ok({ callId, position: String(position) });
    },
  });
}

function outcomeStep(
  { view, time }: DecisionPoint,
  callId: string,
  request: OutcomeRequest,
  caller: Caller,
  lane: TaskLane,
): LaneStep<OutcomeStep> {
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
