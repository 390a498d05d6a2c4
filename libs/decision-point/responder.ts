import type { KeyObject } from 'node:crypto';
import { callsDecider, notAllowed, otherBody, type AttemptState, type CallState } from '../calls/decider.js';
import type { ResponseValidated } from '../calls/events.js';
import type { OutcomeRequest } from '../calls/requests.js';
import { isUnenforced } from '../capability/exceptions.js';
import { lifecycleReason, type MaybeCapability } from '../capability/state.js';
import type { ResponseLimits } from '../content/response.js';
import type { Finding } from '../content/shapes.js';
import { compareServer } from '../decision/server-identity.js';
import { targetsOf } from '../decision/targets.js';
import { isVoid } from '../directive/decider.js';
import { LogUnavailable, type Batch, type EventLog, type StreamCheck } from '../event-log/port.js';
import { ownValue } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import { JsonText } from '../kernel/json-text.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { Turns } from '../offload/turns.js';
import { valueOf, type PayloadPart } from '../payloads/payload.js';
import type { ResponseVerdict } from '../vocabulary/words.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import type { ContentDesk } from './content-desk.js';
import { rejected, type ResponseText, type Validation, type Verdict } from './content-jobs.js';
import type { ControlView } from '../control/control-view.js';
import type { DecisionEngines } from './engines.js';
import { sealFact, type Fact } from '../streams/facts.js';
import type { LogTime } from '../control/log-time.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { Submission } from './submission.js';
import type { TaskLane } from './task-lane.js';
import type { TaskLanes } from './task-lanes.js';

const MAX_TRIES = 20;
/** From then on a record is sealed at once, whatever it costs: others keep taking its place. */
const MAX_SEALS = 6;

export interface ResponderLimits extends ResponseLimits {
  /** How long after its allow an answer may come, in milliseconds. */
  readonly lateMs: number;
}

/** Waits for something during which this thread is free for others. */
export type Aside = <Answer>(wait: () => Promise<Answer>) => Promise<Answer>;

type Try<Answer> = Result<Answer, Refusal> | 'again';

interface Asked {
  readonly callId: string;
  readonly submission: Submission;
  readonly caller: Caller;
  readonly aside: Aside;
}

interface Found {
  readonly lane: TaskLane;
  readonly standing: readonly StreamCheck[];
}

export interface ResponseAnswer {
  readonly callId: string;
  readonly verdict: ResponseVerdict;
  /** What the agent may be given; absent where the response was rejected. */
  readonly content?: JsonText;
  readonly findings: readonly Finding[];
  readonly rawDigest: Digest;
  readonly position: string;
}

export interface OutcomeAnswer {
  readonly callId: string;
  readonly position: string;
}

/** The way back: responses are validated and quoted, outcomes recorded. Both belong to an attempt that was allowed. */
export class Responder {
  /** To record a large response. */
  private readonly turns = new Turns();

  constructor(
    private readonly log: EventLog,
    private readonly view: ControlView,
    private readonly lanes: TaskLanes,
    private readonly engines: DecisionEngines,
    private readonly time: LogTime,
    private readonly desk: ContentDesk,
    private readonly limits: ResponderLimits,
  ) {}

  /**
   * Validates a response, once. The same body again gets the recorded answer. If the call has been stopped since it was
   * allowed, or the answer comes too late, the response is recorded and rejected, and nothing of it is delivered. `aside`
   * is told of time that passes without work of this thread.
   */
  async respond(
    callId: string,
    text: ResponseText,
    caller: Caller,
    aside: Aside = (wait) => wait(),
  ): Promise<Result<ResponseAnswer, Refusal>> {
    const submission = await aside(() => Submission.of(this.desk, caller.name, text));
    if (!submission.ok) return submission;
    const asked = { callId, submission: submission.value, caller, aside };
    try {
      for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
        const outcome = await this.tryRespond(asked, tries > MAX_SEALS);
        if (outcome !== 'again') return outcome;
      }
      throw new LogUnavailable('the task is too busy to record a response');
    } finally {
      submission.value.endTurn?.();
    }
  }

  /** Records what came of a call. The same outcome again changes nothing. */
  async recordOutcome(
    callId: string,
    request: OutcomeRequest,
    caller: Caller,
  ): Promise<Result<OutcomeAnswer, Refusal>> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const outcome = await this.tryOutcome(callId, request, caller);
      if (outcome !== 'again') return outcome;
    }
    throw new LogUnavailable('the task is too busy to record an outcome');
  }

  private async tryOutcome(callId: string, request: OutcomeRequest, caller: Caller): Promise<Try<OutcomeAnswer>> {
    const found = await this.laneOf(request.taskId, caller);
    if (!found.ok) return found;
    const { lane, standing } = found.value;
    const { taskId, status, effect, control } = request;
    const told = defined({ effect, control });
    const outcome = { callId, taskId, status, ...told };
    const command = { type: 'record-outcome', outcome, actor: caller.name, time: this.time.now() } as const;
    const decided = callsDecider.decide(command, lane.calls);
    if (!decided.ok) return this.lanes.confirmed(lane, decided.error);
    const position = await this.append(lane, decided.value, callId, standing);
    return position === undefined ? 'again' : ok({ callId, position: String(position) });
  }

  /** The task of a caller that may still act, and the precondition that it stays so. Nothing may wait after it. */
  private async laneOf(taskId: string, caller: Caller): Promise<Result<Found, Refusal>> {
    for (;;) {
      const lane = await this.lanes.get(taskId);
      if (lane === undefined || lane.task.host !== caller.name) return err(refusal('not_found', 'no such task'));
      if (lane.givenUp) continue;
      const standing = callerPrecondition(this.view, caller);
      return standing.ok ? ok({ lane, standing: standing.value }) : standing;
    }
  }

  private async tryRespond(asked: Asked, sealsNow: boolean): Promise<Try<ResponseAnswer>> {
    const { callId, submission, caller, aside } = asked;
    const found = await this.laneOf(submission.taskId, caller);
    if (!found.ok) return found;
    // From here on nothing waits, unless it tries again: what is looked at has to be what the append checks.
    const { lane, standing } = found.value;
    const call = lane.calls.calls.get(callId);
    if (call?.allowed === undefined) return this.lanes.confirmed(lane, notAllowed());
    const attempt = call.allowed;
    const { capability: capabilityId } = attempt.decided;
    const capability = this.view.capability(capabilityId);
    const directives = this.view.directives();
    const now = this.time.now();
    const refused = this.refusing(lane, attempt, capability.state, now);
    const schema = outputSchemaOf(attempt, capability.state);
    const judged = submission.judgedFor(attempt.decided.attempt, schema);
    if (judged !== undefined && call.response !== undefined) {
      const { requestDigest, rawDigest } = judged.read;
      const same = call.response.validated.requestDigest === requestDigest;
      return same ? this.recorded(asked, lane, standing, call, rawDigest) : this.lanes.confirmed(lane, otherBody());
    }
    const given = refused ?? judged?.verdict;
    if (judged === undefined || given === undefined) {
      const validates = refused === undefined && call.response === undefined;
      return (await this.judge(asked, lane, attempt, schema, validates)) ?? 'again';
    }
    const { requestDigest, rawDigest, raw } = judged.read;
    const { verdict, content, findings } = given;
    const parts = content === undefined ? [raw] : [raw, content];
    const place = payloadPlace({ stream: lane.callsStream, revision: lane.calls.revision + 1 });
    if (submission.endTurn === undefined && !this.desk.sealsAtOnce(parts)) {
      // Large records one after the other: what is behind them in the log waits for less, and memory holds fewer.
      submission.endTurn = await aside(() => this.turns.take(caller.name));
      return 'again';
    }
    const payload = this.sealed(submission, lane.key, place, parts, sealsNow);
    if (payload === undefined) {
      const bytes = await aside(() => this.desk.seal(caller.name, { key: lane.key, place, parts }));
      submission.keepSealed({ place, parts, bytes });
      return 'again';
    }
    const event: ResponseValidated = {
      callId,
      taskId: lane.task.taskId,
      attempt: attempt.decided.attempt,
      verdict,
      findings: [...findings],
      commitments: defined({ raw: raw.commitment, validated: content === undefined ? undefined : content.commitment }),
      requestDigest,
      epoch: directives.revision,
    };
    const command = { type: 'record-response', validated: event, actor: lane.task.host, time: now } as const;
    const decided = callsDecider.decide(command, lane.calls);
    if (!decided.ok) return decided;
    const checks = [
      ...standing,
      { stream: 'directives', expected: directives.revision },
      { stream: `capability-${capabilityId}`, expected: capability.revision },
      // A task that is closed meanwhile takes no answer.
      { stream: lane.taskStream, expected: lane.taskRevision },
    ];
    const position = await this.append(lane, decided.value, callId, checks, payload);
    if (position === undefined) return 'again';
    const recorded = lane.calls.calls.get(callId)?.response;
    if (recorded !== undefined) recorded.position = position;
    return ok(
      defined({
        callId,
        verdict,
        content: content === undefined ? undefined : new JsonText(valueOf(content)),
        findings,
        rawDigest,
        position: String(position),
      }),
    );
  }

  /** Why nothing of a response is delivered, whatever is in it. */
  private refusing(
    lane: TaskLane,
    attempt: AttemptState,
    capability: MaybeCapability,
    now: Instant,
  ): Verdict | undefined {
    if (isStopped(attempt, capability, this.view)) return rejected('directives', 'disabled');
    const isLate = lane.task.closed || Date.parse(now) - Date.parse(attempt.at) > this.limits.lateMs;
    return isLate ? rejected('response', 'late') : undefined;
  }

  /** Reads and validates a response, and keeps what comes of it; a refusal if it is none. */
  private async judge(
    { submission, aside }: Asked,
    lane: TaskLane,
    attempt: AttemptState,
    schema: Digest | undefined,
    validates: boolean,
  ): Promise<Result<never, Refusal> | undefined> {
    const { text, request } = submission;
    const validation = validates ? await this.validationOf(attempt, schema) : undefined;
    const work = { text, request, key: lane.key, validation };
    const judged = await aside(() => this.desk.judge(lane.task.host, work));
    if (!judged.ok) return judged;
    submission.keepJudged({ attempt: attempt.decided.attempt, schema, judged: judged.value });
    return undefined;
  }

  /** A record is sealed for its place: large ones beforehand, in the hope that it stays free. */
  private sealed(
    submission: Submission,
    key: KeyObject,
    place: string,
    parts: readonly PayloadPart[],
    sealsNow: boolean,
  ): Uint8Array | undefined {
    const { desk } = this;
    const before = submission.sealedFor(place, parts);
    return before ?? (sealsNow || desk.sealsAtOnce(parts) ? desk.sealNow(key, place, parts) : undefined);
  }

  /** What a response is validated against: its version, which never changes, and an output schema if one is enforced. */
  private async validationOf({ decided }: AttemptState, digest: Digest | undefined): Promise<Validation> {
    const { version = '', operation } = decided;
    const { server } = decided.observed;
    const known = this.view.capability(decided.capability).state?.versions.get(version);
    const expected = known?.server ?? { method: 'none' as const };
    const source = {
      capability: decided.capability,
      version,
      operation,
      server: { method: server.method, result: compareServer(expected, server) },
    };
    const schema = digest === undefined ? undefined : { digest, text: await this.engines.schemaText(digest) };
    return { source, schema, limits: this.limits };
  }

  /** The answer that was recorded, from the payload of its event. Waits until the record is durable. */
  private async recorded(
    { aside }: Asked,
    lane: TaskLane,
    standing: readonly StreamCheck[],
    call: CallState,
    rawDigest: Digest,
  ): Promise<Try<ResponseAnswer>> {
    const confirmed = await this.lanes.confirm(lane, standing);
    const { response } = call;
    if (confirmed === undefined || response === undefined) return 'again';
    const { verdict, findings, commitments } = response.validated;
    const answer = { callId: call.callId, verdict, findings, rawDigest };
    const position = String(response.position ?? confirmed);
    if (commitments.validated === undefined) return ok({ ...answer, position });
    const place = { stream: lane.callsStream, revision: response.revision };
    const bytes = await this.log.payload(place.stream, place.revision);
    if (bytes === undefined) throw new LogUnavailable('the recorded response is missing');
    const record = { key: lane.key, place: payloadPlace(place), bytes };
    const content = await aside(() => this.desk.open(lane.task.host, record));
    return ok(defined({ ...answer, content: content === undefined ? undefined : new JsonText(content), position }));
  }

  /** Appends to the calls of the task. No facts: only waits until what is there is durable. */
  private append(
    lane: TaskLane,
    facts: readonly Fact[],
    callId: string,
    checks: Batch['checks'],
    payload?: Uint8Array,
  ): Promise<bigint | undefined> {
    const { callsStream: stream, calls, task } = lane;
    const links = defined({ traceId: task.traceId, correlationId: callId, payload });
    const expected = calls.revision;
    const events = facts.map((fact, index) => sealFact(stream, expected + 1 + index, fact, links));
    if (events.length === 0) return this.lanes.confirm(lane);
    return this.lanes.commit(lane, { writes: [{ stream, expected, events }], checks });
  }
}

/** The pinned output schema, unless a reviewer has accepted that it is not enforced. That may change at any time. */
function outputSchemaOf({ decided }: AttemptState, capability: MaybeCapability): Digest | undefined {
  const { version = '', operation } = decided;
  const known = capability?.versions.get(version);
  if (known === undefined || isUnenforced(known, operation, 'output')) return undefined;
  return ownValue(known.operations, operation)?.output;
}

/** A directive has matched the allow since, lifted again or not, or its version may no longer be used. */
function isStopped({ decided }: AttemptState, capability: MaybeCapability, view: ControlView): boolean {
  const { host, taskId, capability: capabilityId, version, operation, basis } = decided;
  const state = version === undefined ? undefined : capability?.versions.get(version);
  if (state === undefined || lifecycleReason(state, host) !== undefined) return true;
  const targets = targetsOf({ host, taskId, capabilityId, capability, version, operation });
  return isVoid(view.directives().state, { epoch: basis['directives'] ?? 0, targets });
}
