import { randomBytes } from 'node:crypto';
import { callsDecider, notAllowed, otherBody, type AttemptState, type CallState } from '#libs/calls/decider.js';
import type { ResponseValidated } from '#libs/calls/events.js';
import type { OutcomeRequest, ResponseRequest } from '#libs/calls/requests.js';
import { lifecycleReason, type MaybeCapability } from '#libs/capability/state.js';
import { validateResponse, type ResponseLimits, type ValidatedResponse } from '#libs/content/response.js';
import type { Envelope, Finding } from '#libs/content/shapes.js';
import { compareServer } from '#libs/decision/server-identity.js';
import { targetsOf } from '#libs/decision/targets.js';
import { isVoid } from '#libs/directive/decider.js';
import { LogUnavailable, type Batch, type EventLog, type StreamCheck } from '#libs/event-log/port.js';
import { canonicalJson, ownValue, type Json } from '#libs/kernel/canonical-json.js';
import { digestOf, keyedDigest, type Digest } from '#libs/kernel/digest.js';
import { refusal, type Refusal } from '#libs/kernel/refusal.js';
import { err, ok, type Result } from '#libs/kernel/result.js';
import { openPayload, sealPayload } from '#libs/payloads/payload.js';
import type { ResponseVerdict } from '#libs/vocabulary/words.js';
import { standingOf, type Caller } from './caller.js';
import type { ControlView } from './control-view.js';
import type { DecisionEngines } from './engines.js';
import { sealFact, type Fact } from './facts.js';
import type { LogTime } from './log-time.js';
import { payloadPlace } from './payload-place.js';
import type { TaskLane } from './task-lane.js';
import type { TaskLanes } from './task-lanes.js';

const MAX_TRIES = 20;

type Try<Answer> = Result<Answer, Refusal> | 'again';

interface Found {
  readonly lane: TaskLane;
  readonly standing: readonly StreamCheck[];
}

export interface ResponseAnswer {
  readonly callId: string;
  readonly verdict: ResponseVerdict;
  /** What the agent may be given; absent where the response was rejected. */
  readonly content?: Envelope;
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
  constructor(
    private readonly log: EventLog,
    private readonly view: ControlView,
    private readonly lanes: TaskLanes,
    private readonly engines: DecisionEngines,
    private readonly time: LogTime,
    private readonly limits: ResponseLimits,
  ) {}

  /**
   * Validates a response, once. The same body again gets the recorded answer. If the call has been stopped since it was
   * allowed, the response is recorded and rejected, and nothing of it is delivered.
   */
  async respond(callId: string, request: ResponseRequest, caller: Caller): Promise<Result<ResponseAnswer, Refusal>> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const outcome = await this.tryRespond(callId, request, caller);
      if (outcome !== 'again') return outcome;
    }
    throw new LogUnavailable('the task is too busy to record a response');
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
    const told = { ...(effect === undefined ? {} : { effect }), ...(control === undefined ? {} : { control }) };
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
      const standing = standingOf(this.view, caller);
      return standing.ok ? ok({ lane, standing: standing.value }) : standing;
    }
  }

  private async tryRespond(callId: string, request: ResponseRequest, caller: Caller): Promise<Try<ResponseAnswer>> {
    const found = await this.laneOf(request.taskId, caller);
    if (!found.ok) return found;
    const { lane, standing } = found.value;
    const body = request.result === undefined ? { error: request.error } : { result: request.result };
    const requestDigest = keyedDigest(lane.key, canonicalJson(body));
    const rawDigest = digestOf(request.result ?? request.error);
    const call = lane.calls.calls.get(callId);
    if (call?.allowed === undefined) return this.lanes.confirmed(lane, notAllowed());
    if (call.response !== undefined) {
      const same = call.response.validated.requestDigest === requestDigest;
      return same ? this.recorded(lane, standing, call, rawDigest) : this.lanes.confirmed(lane, otherBody());
    }
    const attempt = call.allowed;
    const output = await this.outputSchemaOf(attempt);
    // Whoever was faster has recorded the response that stands.
    if (lane.givenUp || lane.calls.calls.get(callId)?.response !== undefined) return 'again';
    // From here to the append nothing waits: what is looked at has to be what the append checks.
    const { capability: capabilityId } = attempt.decided;
    const capability = this.view.capability(capabilityId);
    const directives = this.view.directives();
    const stopped = isStopped(attempt, capability.state, this.view);
    const validated: ValidatedResponse = stopped
      ? { verdict: 'rejected', findings: [{ detector: 'directives', kind: 'disabled', path: '', severity: 'high' }] }
      : this.validate(attempt, capability.state, request, output);
    const { verdict, content, findings } = validated;
    const revision = lane.calls.revision + 1;
    const parts: Record<string, unknown> = { raw: body };
    if (content !== undefined) parts['validated'] = content;
    const payload = sealPayload(lane.key, payloadPlace({ stream: lane.callsStream, revision }), parts);
    const { raw, validated: envelope } = payload.commitments as { raw: Digest; validated?: Digest };
    const event: ResponseValidated = {
      callId,
      taskId: request.taskId,
      attempt: attempt.decided.attempt,
      verdict,
      findings: [...findings],
      commitments: { raw, ...(envelope === undefined ? {} : { validated: envelope }) },
      requestDigest,
      epoch: directives.revision,
    };
    const command = {
      type: 'record-response',
      validated: event,
      actor: lane.task.host,
      time: this.time.now(),
    } as const;
    const decided = callsDecider.decide(command, lane.calls);
    if (!decided.ok) return decided;
    const checks = [
      ...standing,
      { stream: 'directives', expected: directives.revision },
      { stream: `capability-${capabilityId}`, expected: capability.revision },
    ];
    const position = await this.append(lane, decided.value, callId, checks, payload.bytes);
    if (position === undefined) return 'again';
    const recorded = lane.calls.calls.get(callId)?.response;
    if (recorded !== undefined) recorded.position = position;
    return ok({
      callId,
      verdict,
      ...(content === undefined ? {} : { content }),
      findings,
      rawDigest,
      position: String(position),
    });
  }

  private validate(
    { decided }: AttemptState,
    capability: MaybeCapability,
    { result, error }: ResponseRequest,
    outputSchema: { digest: Digest; load: () => Json } | undefined,
  ): ValidatedResponse {
    const { version = '', operation } = decided;
    const { server } = decided.observed;
    const expected = capability?.versions.get(version)?.server ?? { method: 'none' as const };
    return validateResponse({
      source: {
        capability: decided.capability,
        version,
        operation,
        server: { method: server.method, result: compareServer(expected, server) },
      },
      ...(result === undefined ? {} : { result }),
      ...(error === undefined ? {} : { error }),
      outputSchema,
      limits: this.limits,
      validator: this.engines.validator,
      boundarySeed: () => randomBytes(16).toString('hex'),
    });
  }

  private async outputSchemaOf({ decided }: AttemptState): Promise<{ digest: Digest; load: () => Json } | undefined> {
    const version = this.view.capability(decided.capability).state?.versions.get(decided.version ?? '');
    const digest = version === undefined ? undefined : ownValue(version.operations, decided.operation)?.output;
    if (digest === undefined) return undefined;
    const schema = await this.engines.loadSchema(digest);
    return { digest, load: () => schema };
  }

  /** The answer that was recorded, from the payload of its event. Waits until the record is durable. */
  private async recorded(
    lane: TaskLane,
    standing: readonly StreamCheck[],
    call: CallState,
    rawDigest: Digest,
  ): Promise<Try<ResponseAnswer>> {
    const confirmed = await this.lanes.confirm(lane, standing);
    const { response } = call;
    if (confirmed === undefined || response === undefined) return 'again';
    const place = { stream: lane.callsStream, revision: response.revision };
    const bytes = await this.log.payload(place.stream, place.revision);
    const opened = bytes === undefined ? undefined : openPayload(lane.key, payloadPlace(place), bytes);
    if (opened?.ok !== true) throw new LogUnavailable('the recorded response cannot be opened');
    const content = opened.value.parts['validated'] as Envelope | undefined;
    const { verdict, findings } = response.validated;
    const position = String(response.position ?? confirmed);
    return ok({
      callId: call.callId,
      verdict,
      ...(content === undefined ? {} : { content }),
      findings,
      rawDigest,
      position,
    });
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
    const links = { traceId: task.traceId, correlationId: callId, ...(payload === undefined ? {} : { payload }) };
    const expected = calls.revision;
    const events = facts.map((fact, index) => sealFact(stream, expected + 1 + index, fact, links));
    if (events.length === 0) return this.lanes.confirm(lane);
    return this.lanes.commit(lane, { writes: [{ stream, expected, events }], checks });
  }
}

/** A directive has matched the allow since, lifted again or not, or its version may no longer be used. */
function isStopped({ decided }: AttemptState, capability: MaybeCapability, view: ControlView): boolean {
  const { host, taskId, capability: capabilityId, version, operation, basis } = decided;
  const state = version === undefined ? undefined : capability?.versions.get(version);
  if (state === undefined || lifecycleReason(state, host) !== undefined) return true;
  const targets = targetsOf({ host, taskId, capabilityId, capability, version, operation });
  return isVoid(view.directives().state, { epoch: basis['directives'] ?? 0, targets });
}
