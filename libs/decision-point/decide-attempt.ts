import { finished, otherBody, type Attempted, type AttemptState, type CallState } from '../calls/decider.js';
import { callerPrecondition } from '../control/caller.js';
import { decide, denyFor, expiryOf, type Decision } from '../decision/decide.js';
import { recordedCheck, shownCheck } from '../decision/record.js';
import type { Snapshot } from '../decision/snapshot.js';
import { isVoid, type DirectivesState } from '../directive/decider.js';
import type { Batch, StreamCheck, StreamWrite } from '../event-log/port.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { keyedDigest } from '../kernel/digest.js';
import type { Refusal } from '../kernel/refusal.js';
import type { Instant } from '../kernel/time.js';
import type { AskedApproval, AuthorizeAnswer } from '../contract/calls.js';
import { answerOf } from './answer.js';
import type { AttemptInTask } from './attempt.js';
import { askedApproval, callNow, newRequest } from './asked-approval.js';
import { basisChecks, snapshotFor } from './basis.js';
import type { DecisionPoint } from './decision-point.js';
import type { MissingDocuments } from './engines.js';
import { observedDrift } from './observed-drift.js';
import { decisionBatch } from './record-decision.js';

/** The next step of an attempt. Nothing has been appended yet. */
export type AttemptStep =
  /** The lane no longer belongs to the task. */
  | { readonly kind: 'again' }
  /** Policies or schemas must be loaded first. */
  | { readonly kind: 'load'; readonly documents: MissingDocuments }
  /** `durable`: the refusal relies on what the lane shows, so it waits until that is durable. */
  | { readonly kind: 'refuse'; readonly refusal: Refusal; readonly durable: boolean }
  | RepeatStep
  | RecordStep;

/** A repeat of a call whose recorded allow still holds. */
export interface RepeatStep {
  readonly kind: 'repeat';
  readonly checks: readonly StreamCheck[];
  readonly recorded: AttemptState;
  readonly answerAt: (position: bigint) => AuthorizeAnswer;
}

/** A decision to record. */
export interface RecordStep {
  readonly kind: 'record';
  readonly batch: Batch;
  readonly decided: Attempted;
  readonly decision: Decision;
  /** The batch's writes to control streams. */
  readonly controlWrites: readonly StreamWrite[];
  /** Monotonic clock, in milliseconds. */
  readonly startedMs: number;
  readonly answerAt: (position: bigint) => AuthorizeAnswer;
}

/**
 * Decides an attempt on the live states, in the same turn as the start of its append. `leaseMs` bounds an allow, in
 * milliseconds.
 */
export function decideAttempt(point: DecisionPoint, leaseMs: number, inTask: AttemptInTask): AttemptStep {
  const { view, engines, time } = point;
  const { attempt, lane } = inTask;
  const { request, forced } = attempt;
  const snapshot = snapshotFor(view, lane, attempt.call.host, attempt.call.capability);
  const documents = engines.missing(snapshot, request);
  if (documents !== undefined) return { kind: 'load', documents };
  if (lane.givenUp) return { kind: 'again' };
  const caller = callerPrecondition(view, attempt.caller);
  if (!caller.ok) return refuse(caller.error);
  const requestDigest = keyedDigest(lane.key, canonicalJson(request));
  const earlier = lane.calls.calls.get(request.callId);
  if (earlier !== undefined && earlier.requestDigest !== requestDigest) return refuseWhenDurable(otherBody());
  if (earlier?.response !== undefined) return refuseWhenDurable(finished());
  const call = callNow(point, inTask);
  const version = call.version ?? lane.task.pins.get(call.capability)?.version;
  const decision = forced === undefined ? decide(snapshot, call, engines.engines) : denyFor(forced, version);
  if (earlier !== undefined && isStillAllowed(earlier, decision, view.directives().state, call.decidedAt)) {
    return repeatStep(inTask, snapshot, decision, earlier, leaseMs);
  }
  const startedMs = time.monotonicMs();
  const drift = observedDrift(view, inTask, call, decision);
  if (!drift.ok) return refuse(drift.error);
  const expiresAt = decision.decision === 'allow' ? expiryOf(snapshot, call.decidedAt, leaseMs) : undefined;
  const { versions } = engines;
  const requested = newRequest(point, inTask, snapshot, call, decision);
  const input = { lane, request, requestDigest, call, decision, snapshot, engines: versions, expiresAt, requested };
  const planned = decisionBatch({ ...input, beside: drift.value });
  if (!planned.ok) return refuse(planned.error);
  const { batch, decided } = planned.value;
  const approval = askedApproval(point, inTask, decision, requested);
  const answerAt = (position: bigint) => answer(inTask, decided, decision, { same: true, leaseMs, position, approval });
  return { kind: 'record', batch, decided, decision, controlWrites: drift.value.writes, startedMs, answerAt };
}

const refuse = (refusal: Refusal): AttemptStep => ({ kind: 'refuse', refusal, durable: false });
const refuseWhenDurable = (refusal: Refusal): AttemptStep => ({ kind: 'refuse', refusal, durable: true });

function repeatStep(
  inTask: AttemptInTask,
  snapshot: Snapshot,
  decision: Decision,
  { latest }: CallState,
  leaseMs: number,
): RepeatStep {
  const { callsStream, calls } = inTask.lane;
  const checks = [...basisChecks(snapshot.basis, new Set()), { stream: callsStream, expected: calls.revision }];
  const { decided } = latest;
  const same = canonicalJson(decision.checks.map(recordedCheck)) === canonicalJson(decided.checks);
  const answerAt = (position: bigint) => answer(inTask, decided, decision, { same, leaseMs, position });
  return { kind: 'repeat', checks, recorded: latest, answerAt };
}

/** `same`: the present decision equals the recorded one, so it can explain it. */
function answer(
  { attempt: { request }, lane }: AttemptInTask,
  decided: Attempted,
  decision: Decision,
  more: {
    readonly same: boolean;
    readonly leaseMs: number;
    readonly position: bigint;
    readonly approval?: AskedApproval | undefined;
  },
): AuthorizeAnswer {
  const { same, ...shown } = more;
  const checks = request.explain === true && same ? decision.checks : decided.checks.map(shownCheck);
  const obligations = same ? decision.obligations : [];
  const { traceId } = lane.task;
  return answerOf(request, decided, { ...shown, traceId, checks, obligations, targets: decision.targets });
}

/** Whether a recorded allow still holds. If so, a repeat gets it instead of a new attempt. */
function isStillAllowed(call: CallState, decision: Decision, directives: DirectivesState, at: Instant): boolean {
  const { decided } = call.latest;
  if (decision.decision !== 'allow' || decided.decision !== 'allow' || isOver(call.latest, at)) return false;
  const epoch = decided.basis['directives'] ?? 0;
  return !isVoid(directives, { epoch, targets: decision.targets });
}

/** Whether a recorded allow has expired. */
export function isOver(attempt: AttemptState, at: Instant): boolean {
  return attempt.decided.expiresAt === undefined || at >= attempt.decided.expiresAt;
}
