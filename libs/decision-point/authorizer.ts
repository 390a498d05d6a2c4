import { randomUUID } from 'node:crypto';
import { finished, otherBody, type Attempted, type AttemptState, type CallState } from '../calls/decider.js';
import type { Definition } from '../capability/definition.js';
import { diffDefinitions } from '../capability/diff.js';
import { probeDifference } from '../capability/probe.js';
import type { AuthorizeRequest } from '../calls/requests.js';
import type { Call } from '../decision/call.js';
import { decide, denyFor, expiryOf, type Decision } from '../decision/decide.js';
import { recordedCheck, shownCheck } from '../decision/record.js';
import { targetsOf } from '../decision/targets.js';
import type { Snapshot } from '../decision/snapshot.js';
import { isVoid, type DirectivesState } from '../directive/decider.js';
import { afterCommit } from '../event-log/after-commit.js';
import { LogUnavailable, type Batch, type EventLog } from '../event-log/port.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { keyedDigest, type Digest } from '../kernel/digest.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import type { AuthorizeAnswer } from '../contract/calls.js';
import { answerOf } from './answer.js';
import { basisChecks, snapshotFor } from './basis.js';
import { readJson } from '../event-log/blobs.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import type { ControlView } from '../control/control-view.js';
import { driftWrites } from '../control/drift.js';
import type { DecisionEngines } from './engines.js';
import type { LogTime } from '../control/log-time.js';
import { callOf, decisionBatch } from './record-decision.js';
import type { RefusalRecorder } from './refusal-recorder.js';
import type { TaskLane } from './task-lane.js';
import type { TaskLanes } from './task-lanes.js';

/** How often a call is decided anew after its basis has moved, before it is denied as `view_stale`. */
const MAX_DECISIONS = 3;
/** How often recording may be overtaken by other calls of the task before there is no decision at all. */
const MAX_TRIES = 20;

/** What one try comes to. `overtaken`: the basis has moved. `late`: the commit took longer than an allow may live. */
type Try = Result<AuthorizeAnswer, Refusal> | 'again' | 'overtaken' | 'late';

interface Asked {
  readonly request: AuthorizeRequest;
  readonly caller: Caller;
  readonly call: Omit<Call, 'decidedAt'>;
  readonly traceparent: string | undefined;
  /** Set when there is no more time to decide: the answer is a deny with this reason. */
  readonly forced?: 'view_stale' | undefined;
}

/** The hot path: decide on the view in memory, append once with the basis as preconditions, then answer. */
export class Authorizer {
  constructor(
    private readonly log: EventLog,
    private readonly view: ControlView,
    private readonly lanes: TaskLanes,
    private readonly engines: DecisionEngines,
    private readonly refused: RefusalRecorder,
    private readonly time: LogTime,
    /** How long an allow holds at most, and how long its commit may take. */
    private readonly leaseMs: number,
  ) {}

  /**
   * Decides a call of a host. The answer leaves after its record is durable. A repeat is decided again: it gets the
   * recorded allow while that is still one, else the next attempt. After the response of a call a repeat is refused as
   * `call_finished`. Throws `LogUnavailable` or `LogOverloaded` if nothing could be recorded: then there is no decision.
   */
  async authorize(
    request: AuthorizeRequest,
    caller: Caller,
    traceparent: string | undefined,
  ): Promise<Result<AuthorizeAnswer, Refusal>> {
    const call = callOf(request, caller.name);
    if (!call.ok) return call;
    let decisions = 0;
    /** An allow of this request is recorded, although it came too late to be answered. */
    let isRecorded = false;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const forced = decisions < MAX_DECISIONS ? undefined : ('view_stale' as const);
      const asked = { request, caller, call: call.value, traceparent, forced };
      const outcome = await (isRecorded ? afterCommit(() => this.try(asked)) : this.try(asked));
      if (outcome === 'late') {
        decisions = MAX_DECISIONS;
        isRecorded = true;
      } else if (outcome === 'overtaken') decisions += 1;
      else if (outcome !== 'again') return outcome;
    }
    throw new LogUnavailable('the task is too busy to record a decision');
  }

  private async try(asked: Asked): Promise<Try> {
    const { request } = asked;
    const { host, capability } = asked.call;
    const lane = await this.lanes.get(request.taskId);
    if (lane === undefined || lane.task.host !== host) return this.refused.record(asked);
    const pinned = request.observed.definition === undefined ? undefined : await this.pinnedDefinition(asked, lane);
    // From here to the append nothing waits: the states are live, and the basis has to be theirs.
    const snapshot = snapshotFor(this.view, lane, host, capability);
    const loading = this.engines.prepare(snapshot, request);
    if (loading === undefined) return this.decideOn(asked, lane, snapshot, pinned);
    await loading;
    return 'again';
  }

  /** Synchronous up to its append. */
  private decideOn(
    asked: Asked,
    lane: TaskLane,
    snapshot: Snapshot,
    pinned: Definition | undefined,
  ): Try | Promise<Try> {
    if (lane.givenUp) return 'again';
    const { request, forced } = asked;
    const caller = callerPrecondition(this.view, asked.caller);
    if (!caller.ok) return caller;
    const requestDigest = keyedDigest(lane.key, canonicalJson(request));
    const earlier = lane.calls.calls.get(request.callId);
    if (earlier !== undefined && earlier.requestDigest !== requestDigest)
      return this.lanes.confirmed(lane, otherBody());
    if (earlier?.response !== undefined) return this.lanes.confirmed(lane, finished());
    const call: Call = { ...asked.call, decidedAt: this.time.now() };
    const version = call.version ?? lane.task.pins.get(call.capability)?.version;
    const decision = forced === undefined ? decide(snapshot, call, this.engines.engines) : denyFor(forced, version);
    if (earlier !== undefined && stands(earlier, decision, this.view.directives().state, call.decidedAt)) {
      return this.repeat(asked, lane, snapshot, decision, earlier);
    }
    const more = this.driftOf(asked, lane, call, decision, pinned);
    if (!more.ok) return more;
    return this.record(asked, lane, snapshot, call, decision, requestDigest, more.value);
  }

  private async record(
    { request }: Asked,
    lane: TaskLane,
    snapshot: Snapshot,
    call: Call,
    decision: Decision,
    requestDigest: Digest,
    more: Pick<Batch, 'writes' | 'blobs'>,
  ): Promise<Try> {
    const startedMs = this.time.monotonicMs();
    const { basis } = snapshot;
    const expiresAt = decision.decision === 'allow' ? expiryOf(snapshot, call.decidedAt, this.leaseMs) : undefined;
    const { versions: engines } = this.engines;
    const planned = decisionBatch({ lane, request, requestDigest, call, decision, basis, engines, expiresAt, more });
    if (!planned.ok) return planned;
    const { batch, decided } = planned.value;
    const position = await this.lanes.commit(lane, batch);
    if (position === undefined) return 'overtaken';
    const recorded = lane.calls.calls.get(call.callId)?.latest;
    if (recorded?.decided.attempt === decided.attempt) recorded.position = position;
    this.view.applyCommitted(more.writes, position);
    if (decision.decision === 'allow' && this.time.monotonicMs() - startedMs > this.leaseMs) return 'late';
    return ok(this.answer(request, lane, decided, decision, position, true));
  }

  /** Answers the recorded allow, after an append of nothing but checks: its basis still holds, and its record is durable. */
  private async repeat(
    { request }: Asked,
    lane: TaskLane,
    snapshot: Snapshot,
    decision: Decision,
    { latest }: CallState,
  ): Promise<Try> {
    const checks = [
      ...basisChecks(snapshot.basis, new Set()),
      { stream: lane.callsStream, expected: lane.calls.revision },
    ];
    const position = await this.lanes.commit(lane, { writes: [], checks });
    if (position === undefined) return 'overtaken';
    if (isOver(latest, this.time.now())) return 'again';
    const same = canonicalJson(decision.checks.map(recordedCheck)) === canonicalJson(latest.decided.checks);
    return ok(this.answer(request, lane, latest.decided, decision, latest.position ?? position, same));
  }

  /** The pinned definition, where the request brings another one whole to compare with it. */
  private async pinnedDefinition({ call }: Asked, { task }: TaskLane): Promise<Definition | undefined> {
    const pin = task.pins.get(call.capability);
    if (pin === undefined || pin.definitionDigest === call.observed.definition) return undefined;
    const version = this.view.capability(call.capability).state?.versions.get(pin.version);
    return version === undefined ? undefined : readJson<Definition>(this.log, version.documents.definition);
  }

  /** What a drifted definition appends beside the deny. Under another probe it is no drift of the pinned one. */
  private driftOf(
    { request }: Asked,
    { task: { traceId } }: TaskLane,
    call: Call,
    decision: Decision,
    pinned: Definition | undefined,
  ): Result<Pick<Batch, 'writes' | 'blobs'>, Refusal> {
    const { definition } = request.observed;
    const version = decision.version;
    const isDrift = decision.reason === 'definition_drifted' && definition !== undefined && pinned !== undefined;
    if (!isDrift || version === undefined || call.observed.definition === undefined) return ok({ writes: [] });
    const probe = this.view.capability(call.capability).state?.versions.get(version)?.probe;
    if (probeDifference(probe, request.observed.probe) !== undefined) return ok({ writes: [] });
    return driftWrites(this.view, {
      host: call.host,
      capability: call.capability,
      version,
      diff: diffDefinitions(pinned, definition),
      observed: definition,
      observedDigest: call.observed.definition,
      hostPinsVersion: true,
      directiveId: randomUUID(),
      time: call.decidedAt,
      links: { traceId, correlationId: call.callId },
    });
  }

  /** `same`: the decision of now came out as the recorded one, and so can explain it. */
  private answer(
    request: AuthorizeRequest,
    lane: TaskLane,
    decided: Attempted,
    decision: Decision,
    position: bigint,
    same: boolean,
  ): AuthorizeAnswer {
    const { host, taskId, capability: capabilityId, version, operation } = decided;
    const checks = request.explain === true && same ? decision.checks : decided.checks.map(shownCheck);
    const obligations = same ? decision.obligations : [];
    const capability = this.view.capability(capabilityId).state;
    const targets =
      decision.targets.length > 0
        ? decision.targets
        : targetsOf({ host, taskId, capabilityId, capability, version, operation });
    const { leaseMs } = this;
    return answerOf(request, decided, { traceId: lane.task.traceId, checks, obligations, targets, leaseMs, position });
  }
}

/** Whether a recorded allow is still one, so that a repeat gets it instead of a new attempt. */
function stands(call: CallState, decision: Decision, directives: DirectivesState, at: Instant): boolean {
  const { decided } = call.latest;
  if (decision.decision !== 'allow' || decided.decision !== 'allow' || isOver(call.latest, at)) return false;
  const epoch = decided.basis['directives'] ?? 0;
  return !isVoid(directives, { epoch, targets: decision.targets });
}

function isOver(attempt: AttemptState, at: Instant): boolean {
  return attempt.decided.expiresAt === undefined || at >= attempt.decided.expiresAt;
}
