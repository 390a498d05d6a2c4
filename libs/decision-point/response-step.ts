import type { KeyObject } from 'node:crypto';
import { callsDecider, isHeld, notAllowed, otherBody, type AttemptState, type CallState } from '../calls/decider.js';
import type { ResponseValidated } from '../calls/events.js';
import { isUnenforced } from '../capability/exceptions.js';
import type { MaybeCapability } from '../capability/state.js';
import { callerPrecondition } from '../control/caller.js';
import type { ControlView } from '../control/control-view.js';
import type { Batch, StreamCheck } from '../event-log/port.js';
import { ownValue } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import { JsonText } from '../kernel/json-text.js';
import type { Refusal } from '../kernel/refusal.js';
import type { Instant } from '../kernel/time.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { valueOf, type PayloadPart } from '../payloads/payload.js';
import { sealFact } from '../streams/facts.js';
import type { ContentDesk } from './content-desk.js';
import { rejected, type ReadResponse, type Verdict } from './content-jobs.js';
import { isDelivered, responseLabel } from './earlier-content.js';
import { seenResponse } from './seen.js';
import type { DecisionPoint } from './decision-point.js';
import type { ResponderLimits, Response, ResponseAnswer } from './response.js';
import { planDelivery, type Delivery } from './response-delivery.js';
import { isStopped } from './stopped.js';
import type { Submission } from './submission.js';
import type { Seen, TaskLane } from './task-lane.js';

/**
 * The next step of a response. After each step except `refuse`, `recorded` and `append`, the response is examined again.
 */
export type ResponseStep =
  /** The lane no longer belongs to the task. */
  | { readonly kind: 'again' }
  /** `durable`: the refusal relies on what the lane shows, so it waits until that is durable. */
  | { readonly kind: 'refuse'; readonly refusal: Refusal; readonly durable: boolean }
  | RecordedResponse
  | ResponseToJudge
  /** The response is large and must wait for its turn to be recorded. */
  | { readonly kind: 'take_turn' }
  /** The response is sealed in advance for a place, which another append may still take. */
  | { readonly kind: 'seal'; readonly place: string; readonly parts: readonly PayloadPart[] }
  | {
      readonly kind: 'append';
      readonly batch: Batch;
      /** The content that the task sees by it. */
      readonly seen?: Seen | undefined;
      readonly answerAt: (position: bigint) => ResponseAnswer;
    };

/** The response is recorded already. */
export interface RecordedResponse {
  readonly kind: 'recorded';
  readonly call: CallState;
  /** The delivery that it may have now. */
  readonly delivery: Delivery;
  /** The digest of what the server sent, if it is known without the record. */
  readonly rawDigest?: Digest;
  readonly precondition: readonly StreamCheck[];
}

/** A response to read, and to validate if `validates`. */
export interface ResponseToJudge {
  readonly kind: 'judge';
  readonly attempt: AttemptState;
  /** The output schema that the response must match. */
  readonly schema: Digest | undefined;
  readonly validates: boolean;
}

/** Examines the live states and returns the next step, in one turn: the append checks the states that were examined. */
export function nextStep(
  point: DecisionPoint,
  limits: ResponderLimits,
  desk: ContentDesk,
  { callId, submission, caller }: Response,
  lane: TaskLane,
  sealsNow: boolean,
): ResponseStep {
  const { view } = point;
  if (lane.givenUp) return { kind: 'again' };
  const precondition = callerPrecondition(view, caller);
  if (!precondition.ok) return { kind: 'refuse', refusal: precondition.error, durable: false };
  const call = lane.calls.calls.get(callId);
  const attempt = call?.allowed;
  if (call === undefined || attempt === undefined) return { kind: 'refuse', refusal: notAllowed(), durable: true };
  const capability = view.capability(attempt.decided.capability);
  const now = point.time.now();
  const stopped = reasonToReject(view, lane, attempt, capability.state, now, limits.lateMs);
  const schema = outputSchemaOf(attempt, capability.state);
  const judged = submission.judgedFor(attempt.decided.attempt, schema);
  if (judged !== undefined && call.response !== undefined) {
    const { requestDigest, rawDigest } = judged.read;
    const isSame = call.response.validated.requestDigest === requestDigest;
    if (!isSame) return { kind: 'refuse', refusal: otherBody(), durable: true };
    const { delivery, checks } = planDelivery(view, lane, call, attempt, false);
    return { kind: 'recorded', call, delivery, rawDigest, precondition: [...precondition.value, ...checks] };
  }
  const given = stopped ?? judged?.verdict;
  if (judged === undefined || given === undefined) {
    return { kind: 'judge', attempt, schema, validates: stopped === undefined && call.response === undefined };
  }
  const { raw } = judged.read;
  const parts = given.content === undefined ? [raw] : [raw, given.content];
  if (submission.endTurn === undefined && !desk.sealsAtOnce(parts)) return { kind: 'take_turn' };
  const place = payloadPlace({ stream: lane.callsStream, revision: lane.calls.revision + 1 });
  const payload = sealedFor(desk, submission, lane.key, place, parts, sealsNow);
  if (payload === undefined) return { kind: 'seal', place, parts };
  const checks = [
    ...precondition.value,
    { stream: 'directives', expected: view.directives().revision },
    { stream: `capability-${attempt.decided.capability}`, expected: capability.revision },
    // A task that was closed meanwhile takes no response.
    { stream: lane.taskStream, expected: lane.taskRevision },
  ];
  const epoch = view.directives().revision;
  const record = { callId, verdict: given, read: judged.read, epoch, now, payload, checks };
  return recordStep(view, lane, attempt, record);
}

function recordStep(
  view: ControlView,
  lane: TaskLane,
  attempt: AttemptState,
  record: {
    readonly callId: string;
    readonly verdict: Verdict;
    readonly read: ReadResponse;
    readonly epoch: number;
    readonly now: Instant;
    readonly payload: Uint8Array;
    readonly checks: readonly StreamCheck[];
  },
): ResponseStep {
  const { callId, read, epoch, now, payload, checks } = record;
  const { verdict, content, findings, leftOut, handling, label, engines } = record.verdict;
  const { task, callsStream: stream, calls } = lane;
  const validated: ResponseValidated = {
    callId,
    taskId: task.taskId,
    attempt: attempt.decided.attempt,
    verdict,
    findings: [...findings],
    ...defined({ leftOut, handling, label, engines }),
    commitments: defined({ raw: read.raw.commitment, validated: content?.commitment }),
    requestDigest: read.requestDigest,
    epoch,
  };
  const command = { type: 'record-response', validated, actor: task.host, time: now } as const;
  const decided = callsDecider.decide(command, calls);
  if (!decided.ok) return { kind: 'refuse', refusal: decided.error, durable: false };
  const links = { traceId: task.traceId, correlationId: callId, payload };
  const expected = calls.revision;
  const events = decided.value.map((fact, index) => sealFact(stream, expected + 1 + index, fact, links));
  const held = isHeld(validated) ? (true as const) : undefined;
  const shown = held === true || content === undefined ? undefined : new JsonText(valueOf(content));
  const answerAt = (position: bigint): ResponseAnswer =>
    defined({
      callId,
      verdict,
      content: shown,
      held,
      findings,
      leftOut,
      rawDigest: read.rawDigest,
      position: String(position),
    });
  const seen = isDelivered(validated)
    ? seenResponse(callId, responseLabel(view, attempt.decided, validated), record.verdict.prints)
    : undefined;
  return { kind: 'append', batch: { writes: [{ stream, expected, events }], checks }, seen, answerAt };
}

/** The reason to deliver nothing of a response, independent of its content. */
function reasonToReject(
  view: ControlView,
  lane: TaskLane,
  attempt: AttemptState,
  capability: MaybeCapability,
  now: Instant,
  lateMs: number,
): Verdict | undefined {
  if (isStopped(attempt, capability, view)) return rejected('disabled', 'directives');
  const isLate = lane.task.closed || Date.parse(now) - Date.parse(attempt.at) > lateMs;
  return isLate ? rejected('cap', 'caps/late') : undefined;
}

/** The record sealed for its place: a large one in advance, a small one now. Undefined if it must be sealed first. */
function sealedFor(
  desk: ContentDesk,
  submission: Submission,
  key: KeyObject,
  place: string,
  parts: readonly PayloadPart[],
  sealsNow: boolean,
): Uint8Array | undefined {
  const before = submission.sealedFor(place, parts);
  return before ?? (sealsNow || desk.sealsAtOnce(parts) ? desk.sealNow(key, place, parts) : undefined);
}

/**
 * The pinned output schema, unless a reviewer has accepted that it is not enforced. That exception may change at any
 * time.
 */
function outputSchemaOf({ decided }: AttemptState, capability: MaybeCapability): Digest | undefined {
  const { version = '', operation } = decided;
  const known = capability?.versions.get(version);
  if (known === undefined || isUnenforced(known, operation, 'output')) return undefined;
  return ownValue(known.operations, operation)?.output;
}
