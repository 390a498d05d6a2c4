import type { AttemptState } from '../calls/decider.js';
import { compareServer } from '../decision/server-identity.js';
import { LogUnavailable } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import { JsonText } from '../kernel/json-text.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import { payloadPlace } from '../payloads/payload-place.js';
import type { ContentDesk } from './content-desk.js';
import type { Validation } from './content-jobs.js';
import type { DecisionPoint } from './decision-point.js';
import type { ResponderLimits, Response, ResponseAnswer } from './response.js';
import type { RepeatedResponse, ResponseToJudge } from './response-step.js';
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
  const validation = validates ? await validationOf(point, limits, attempt, schema) : undefined;
  const work = { text, request, key: lane.key, validation };
  const judged = await aside(() => desk.judge(lane.task.host, work));
  if (!judged.ok) return judged;
  submission.keepJudged({ attempt: attempt.decided.attempt, schema, judged: judged.value });
  return undefined;
}

/** The rules that validate a response: its version, which never changes, and an output schema if one is enforced. */
async function validationOf(
  { view, engines }: DecisionPoint,
  limits: ResponderLimits,
  { decided }: AttemptState,
  digest: Digest | undefined,
): Promise<Validation> {
  const { version = '', operation, capability } = decided;
  const { server } = decided.observed;
  const known = view.capability(capability).state?.versions.get(version);
  const expected = known?.server ?? { method: 'none' as const };
  const result = compareServer(expected, server);
  const source = { capability, version, operation, server: { method: server.method, result } };
  const schema = digest === undefined ? undefined : { digest, text: await engines.schemaText(digest) };
  return { source, schema, limits };
}

/** The recorded answer, from the payload of its event. Waits until the record is durable. */
export async function recordedAnswer(
  { lanes, log }: DecisionPoint,
  desk: ContentDesk,
  { aside }: Response,
  lane: TaskLane,
  { call, rawDigest, precondition }: RepeatedResponse,
): Promise<Result<ResponseAnswer, Refusal> | 'again'> {
  const confirmed = await lanes.confirm(lane, precondition);
  const { response } = call;
  if (confirmed === undefined || response === undefined) return 'again';
  const { verdict, findings, commitments } = response.validated;
  const answer = { callId: call.callId, verdict, findings, rawDigest };
  const position = String(response.position ?? confirmed);
  if (commitments.validated === undefined) return ok({ ...answer, position });
  const place = { stream: lane.callsStream, revision: response.revision };
  const bytes = await log.payload(place.stream, place.revision);
  if (bytes === undefined) throw new LogUnavailable('the recorded response is missing');
  const record = { key: lane.key, place: payloadPlace(place), bytes };
  const content = await aside(() => desk.open(lane.task.host, record));
  return ok(defined({ ...answer, content: content && new JsonText(content), position }));
}
