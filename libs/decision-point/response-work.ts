import type { AttemptState } from '../calls/decider.js';
import { returnedLevel } from '../capability/returned-level.js';
import { compareServer } from '../decision/server-identity.js';
import { LogUnavailable } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import { JsonText } from '../kernel/json-text.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import { payloadPlace } from '../payloads/payload-place.js';
import type { ContentDesk } from './content-desk.js';
import { dependsOnRequest, operationsOf } from './call-context.js';
import type { OpenedContent, SearchJob, Validation, Verdict } from './content-jobs.js';
import type { DecisionPoint } from './decision-point.js';
import type { Aside, ResponderLimits, Response, ResponseAnswer } from './response.js';
import type { RecordedResponse, ResponseToJudge } from './response-step.js';
import type { TaskLane } from './task-lane.js';

/** Reads and validates a response, and keeps the judgement with it. Returns a refusal if the text is not a response. */
export async function judge(
  point: DecisionPoint,
  desk: ContentDesk,
  limits: ResponderLimits,
  { submission, aside }: Response,
  lane: TaskLane,
  { attempt, schema, validates }: ResponseToJudge,
): Promise<Result<never, Refusal> | undefined> {
  const { text, request } = submission;
  const validation = validates ? await validationOf(point, limits, lane, attempt, schema) : undefined;
  const judgeBy = (by: Validation | undefined) =>
    aside(() => desk.judge(lane.task.host, { text, request, key: lane.key, validation: by }));
  let judged = await judgeBy(validation);
  if (judged.ok && validation !== undefined && mayBeExplained(judged.value.verdict)) {
    const asked = await askedIn(point, lane, attempt);
    judged = await judgeBy({ ...validation, search: { ...validation.search, asked } });
  }
  if (!judged.ok) return judged;
  submission.keepJudged({ attempt: attempt.decided.attempt, schema, judged: judged.value });
  return undefined;
}

/** Whether the request of the call could explain a finding. Findings that were left out count as such. */
const mayBeExplained = (verdict: Verdict | undefined): boolean =>
  verdict !== undefined && (verdict.leftOut !== undefined || verdict.findings.some(dependsOnRequest));

/** The payload record of an attempt. Throws `LogUnavailable`. */
async function askedIn(
  { log }: DecisionPoint,
  lane: TaskLane,
  { revision }: AttemptState,
): Promise<SearchJob['asked']> {
  const place = { stream: lane.callsStream, revision };
  const bytes = await log.payload(place.stream, place.revision);
  if (bytes === undefined) throw new LogUnavailable('the record of the attempt is missing');
  return { place: payloadPlace(place), bytes };
}

/**
 * The rules that validate a response: its version, which never changes, an output schema if one is enforced, and what
 * the search has to know of the call.
 */
async function validationOf(
  { view, engines }: DecisionPoint,
  limits: ResponderLimits,
  { task, content: { purpose } }: TaskLane,
  { decided }: AttemptState,
  digest: Digest | undefined,
): Promise<Validation> {
  const { version = '', operation, capability } = decided;
  const { server } = decided.observed;
  const known = view.capability(capability).state?.versions.get(version);
  const expected = known?.server ?? { method: 'none' as const };
  const result = compareServer(expected, server);
  const source = { capability, version, operation, server: { method: server.method, result } };
  const search: SearchJob = {
    handling: known?.review?.quarantine ?? limits.quarantine,
    level: known === undefined ? 'restricted' : returnedLevel(known, operation),
    operations: operationsOf(task.pins, (id) => view.capability(id).state),
    purpose,
  };
  const schema = digest === undefined ? undefined : { digest, text: await engines.schemaText(digest) };
  return { source, schema, limits, search };
}

/** The record of a response. Throws `LogUnavailable`. */
async function openRecorded(
  log: DecisionPoint['log'],
  desk: ContentDesk,
  aside: Aside,
  { callsStream: stream, key, task }: TaskLane,
  revision: number,
): Promise<OpenedContent> {
  const bytes = await log.payload(stream, revision);
  if (bytes === undefined) throw new LogUnavailable('the recorded response is missing');
  const record = { key, place: payloadPlace({ stream, revision }), bytes };
  return aside(() => desk.open(task.host, record));
}

/** The recorded answer, from the payload of its event. Waits until the record is durable. */
export async function recordedAnswer(
  { lanes, log }: DecisionPoint,
  desk: ContentDesk,
  aside: Aside,
  lane: TaskLane,
  { call, precondition, delivery, rawDigest: known }: RecordedResponse,
): Promise<Result<ResponseAnswer, Refusal> | 'again'> {
  const confirmed = await lanes.confirm(lane, precondition);
  const { response } = call;
  if (confirmed === undefined || response === undefined) return 'again';
  const { verdict, findings, leftOut, commitments } = response.validated;
  const opened =
    known !== undefined && (delivery !== 'content' || commitments.validated === undefined)
      ? { rawDigest: known }
      : await openRecorded(log, desk, aside, lane, response.revision);
  const { rawDigest, content } = opened;
  const position = String(response.position ?? confirmed);
  const answer = defined({ callId: call.callId, verdict, findings, leftOut, rawDigest, position });
  if (delivery === 'held') return ok({ ...answer, held: true });
  if (delivery === 'content') return ok(defined({ ...answer, content: content && new JsonText(content) }));
  return ok({ ...answer, verdict: delivery.verdict, findings: [...delivery.findings, ...findings] });
}
