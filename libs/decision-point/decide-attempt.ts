import { finished, otherBody, type Attempted, type AttemptState, type CallState } from '../calls/decider.js';
import { callerPrecondition } from '../control/caller.js';
import type { Call } from '../decision/call.js';
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
import type { AttemptInTask, FilterStep } from './attempt.js';
import { askedApproval, callNow, newRequest, usedApproval } from './asked-approval.js';
import { basisChecks, snapshotFor } from './basis.js';
import type { DecisionPoint } from './decision-point.js';
import type { MissingDocuments } from './engines.js';
import { observedDrift } from './observed-drift.js';
import { decisionBatch } from './record-decision.js';
import { INLINE_BYTES, INLINE_FILTER_BYTES } from './content-desk.js';
import { requestPrints, type PrintsJob } from './content-jobs.js';
import { Filtering } from './filtering-apart.js';
import { inputsOf, needsEarlier, needsPrints, textsOfItems } from './flow-inputs.js';
import { seenBy } from './seen.js';
import type { Seen } from './task-lane.js';
import type { CallDecided, DecisionInputs } from '../calls/events.js';
import type { AuthorizeRequest } from '../calls/requests.js';

/** The next step of an attempt. Nothing has been appended yet. */
export type AttemptStep =
  /** The lane no longer belongs to the task. */
  | { readonly kind: 'again' }
  /** Policies or schemas must be loaded first. */
  | { readonly kind: 'load'; readonly documents: MissingDocuments }
  /** `durable`: the refusal relies on what the lane shows, so it waits until that is durable. */
  | { readonly kind: 'refuse'; readonly refusal: Refusal; readonly durable: boolean }
  /** Earlier content of the task must be read back first. */
  | { readonly kind: 'read_earlier' }
  /** The request is large: another thread makes its fingerprints. */
  | { readonly kind: 'prints'; readonly bytes: number; readonly asked: Omit<PrintsJob, 'kind'> }
  | FilterStep
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
  /** The content that the task sees by the decision. */
  readonly seen: Seen;
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
  const snapshot = snapshotFor(view, lane, attempt.call);
  const documents = engines.missing(snapshot, request);
  if (documents !== undefined) return { kind: 'load', documents };
  if (lane.givenUp) return { kind: 'again' };
  const caller = callerPrecondition(view, attempt.caller);
  if (!caller.ok) return refuse(caller.error);
  const text = canonicalJson(request);
  const requestDigest = keyedDigest(lane.key, text);
  const earlier = lane.calls.calls.get(request.callId);
  if (earlier !== undefined && earlier.requestDigest !== requestDigest) return refuseWhenDurable(otherBody());
  if (earlier?.response !== undefined) return refuseWhenDurable(finished());
  const now = callNow(point, inTask);
  const bytes = contentBytes(text, request);
  const answered = answeredBy(inTask, earlier, engines.versions, now.decidedAt);
  const inputs = answered?.inputs ?? inputsNow(point, inTask, bytes);
  if ('kind' in inputs) return inputs;
  const call: Call = { ...now, inputs: { ...inputs, ...now.inputs } };
  const version = call.version ?? lane.task.pins.get(call.capability)?.version;
  const filtering = new Filtering(engines.engines, attempt.work, bytes);
  const decision = forced === undefined ? decide(snapshot, call, filtering.engines) : denyFor(forced, version);
  if (filtering.step !== undefined) return filtering.step;
  if (answered !== undefined) {
    if (isStillAllowed(answered.call, decision, view.directives().state, call.decidedAt))
      return repeatStep(inTask, snapshot, decision, answered.call, {
        leaseMs,
        approval: usedApproval(point, inTask, answered.call.latest.decided),
      });
    // The present labels decide the next attempt.
    return decideAttempt(point, leaseMs, { ...inTask, isNew: true });
  }
  const startedMs = time.monotonicMs();
  const drift = observedDrift(view, inTask, call, decision);
  if (!drift.ok) return refuse(drift.error);
  const expiresAt = decision.decision === 'allow' ? expiryOf(snapshot, decision, call.decidedAt, leaseMs) : undefined;
  const { versions } = engines;
  const requested = newRequest(point, inTask, snapshot, call, decision);
  const input = { lane, request, requestDigest, call, decision, snapshot, engines: versions, expiresAt, requested };
  const planned = decisionBatch({ ...input, beside: drift.value });
  if (!planned.ok) return refuse(planned.error);
  const { batch, decided } = planned.value;
  const approval = askedApproval(point, inTask, decision, requested) ?? usedApproval(point, inTask, decision);
  const answerAt = (position: bigint) => answer(inTask, decided, decision, { same: true, leaseMs, position, approval });
  const seen = seenBy(attempt, call, decision);
  return { kind: 'record', batch, decided, decision, controlWrites: drift.value.writes, startedMs, seen, answerAt };
}

/** Bytes of the content of a request, as far as they matter: a small request is not measured again. */
function contentBytes(text: string, { arguments: args, context = [] }: AuthorizeRequest): number {
  return text.length <= INLINE_FILTER_BYTES ? text.length : canonicalJson({ args, context }).length;
}

/** The recorded allow of a repeat, and the labels that it was decided with. Another build decides it again. */
function answeredBy(
  { isNew }: AttemptInTask,
  call: CallState | undefined,
  { decider, pack }: CallDecided['engines'],
  at: Instant,
): { readonly call: CallState; readonly inputs: DecisionInputs } | undefined {
  if (call === undefined || isNew === true) return undefined;
  const { decision, engines, inputs = {} } = call.latest.decided;
  const isSameBuild = engines.decider === decider && engines.pack === pack;
  return decision === 'allow' && isSameBuild && !isOver(call.latest, at) ? { call, inputs } : undefined;
}

/** The labels that the request has by now, or the work that they need first. */
function inputsNow(
  { flow }: DecisionPoint,
  { lane, attempt: { request, work } }: AttemptInTask,
  bytes: number,
): DecisionInputs | Extract<AttemptStep, { kind: 'read_earlier' | 'prints' }> {
  if (needsEarlier(lane, request, flow)) return { kind: 'read_earlier' };
  if (work.prints === undefined && needsPrints(lane, request, flow)) {
    const asked = { key: lane.key, arguments: request.arguments, ...textsOfItems(request.context) };
    if (bytes > INLINE_BYTES) return { kind: 'prints', bytes, asked };
    work.prints = requestPrints(asked);
  }
  return inputsOf(lane, request, flow, work.prints);
}

const refuse = (refusal: Refusal): AttemptStep => ({ kind: 'refuse', refusal, durable: false });
const refuseWhenDurable = (refusal: Refusal): AttemptStep => ({ kind: 'refuse', refusal, durable: true });

function repeatStep(
  inTask: AttemptInTask,
  snapshot: Snapshot,
  decision: Decision,
  { latest }: CallState,
  more: { readonly leaseMs: number; readonly approval: AskedApproval | undefined },
): RepeatStep {
  const { callsStream, calls } = inTask.lane;
  const checks = [...basisChecks(snapshot.basis, new Set()), { stream: callsStream, expected: calls.revision }];
  const { decided } = latest;
  const same = canonicalJson(decision.checks.map(recordedCheck)) === canonicalJson(decided.checks);
  const answerAt = (position: bigint) => answer(inTask, decided, decision, { same, position, ...more });
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
  const { targets, filtered } = decision;
  return answerOf(request, decided, { ...shown, traceId, checks, obligations, targets, filtered });
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
