import { callsDecider } from '../calls/decider.js';
import { recordableText } from '../content/detect/recordable-text.js';
import type { ReleaseAnswer } from '../contract/responses.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import type { Batch } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import { sealFact } from '../streams/facts.js';
import { inOneTurn } from '../kernel/synchronous.js';
import type { DecisionPoint } from './decision-point.js';
import { inLane, type LaneStep } from './in-lane.js';
import { planDelivery } from './response-delivery.js';
import type { TaskLane } from './task-lane.js';

/** A reviewer or an operator lets the host of a call have its response. */
export interface Release {
  readonly callId: string;
  readonly taskId: string;
  readonly reason: string;
  readonly caller: Caller;
}

type ReleaseStep = { readonly kind: 'confirm' } | { readonly kind: 'append'; readonly batch: Batch };

/**
 * Releases a held response. A second release changes nothing. The call must not be stopped, nor its task closed. Throws
 * `LogUnavailable`.
 */
export function releaseResponse(point: DecisionPoint, release: Release): Promise<Result<ReleaseAnswer, Refusal>> {
  const { callId, taskId } = release;
  const { lanes } = point;
  return inLane(lanes, {
    taskId,
    purpose: 'release a response',
    plan: (lane) => inOneTurn(() => releaseStep(point, release, lane)),
    async perform(lane, step: ReleaseStep) {
      const position = await (step.kind === 'confirm' ? lanes.confirm(lane) : lanes.commit(lane, step.batch));
      const released = lane.calls.calls.get(callId)?.released;
      if (position === undefined || released === undefined) return 'again';
      if (step.kind === 'append') released.position = position;
      return ok({ callId, taskId, releasedBy: released.by, position: String(released.position ?? position) });
    },
  });
}

function releaseStep(
  { view, time }: DecisionPoint,
  { callId, taskId, reason, caller }: Release,
  lane: TaskLane,
): LaneStep<ReleaseStep> {
  if (lane.givenUp) return { kind: 'again' };
  const precondition = callerPrecondition(view, caller);
  if (!precondition.ok) return { kind: 'refuse', refusal: precondition.error, durable: false };
  const { task, calls, callsStream: stream, taskStream, taskRevision } = lane;
  const released = { callId, taskId, reason: recordableText(reason), epoch: view.directives().revision };
  const command = { type: 'release-response', released, actor: caller.name, time: time.now() } as const;
  const decided = callsDecider.decide(command, calls);
  if (!decided.ok) return { kind: 'refuse', refusal: decided.error, durable: true };
  const [fact] = decided.value;
  if (fact === undefined) return { kind: 'confirm' };
  const call = calls.calls.get(callId);
  if (call?.allowed === undefined) return { kind: 'again' };
  const { delivery, checks } = planDelivery(view, lane, { ...call, released: { by: caller.name } }, call.allowed, true);
  if (delivery !== 'content') {
    const over = refusal('invalid_transition', 'the call was stopped, or its task is closed');
    return { kind: 'refuse', refusal: over, durable: true };
  }
  const expected = calls.revision;
  const event = sealFact(stream, expected + 1, fact, { traceId: task.traceId, correlationId: callId });
  const preconditions = [...precondition.value, ...checks, { stream: taskStream, expected: taskRevision }];
  return { kind: 'append', batch: { writes: [{ stream, expected, events: [event] }], checks: preconditions } };
}
