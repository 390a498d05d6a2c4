import { callsDecider } from '../calls/decider.js';
import type { ApprovalRequested, CallDecided, ContextFiltered } from '../calls/events.js';
import { shownProbe } from '../capability/probe.js';
import type { AuthorizeRequest } from '../calls/requests.js';
import type { Call } from '../decision/call.js';
import type { Decision } from '../decision/decide.js';
import { recordedCheck } from '../decision/record.js';
import type { Basis, Snapshot } from '../decision/snapshot.js';
import type { Batch, StreamWrite } from '../event-log/port.js';
import { inCanonicalOrder, ownValue } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { digestOf, type Digest } from '../kernel/digest.js';
import { fingerprintDefinition } from '../kernel/definition-digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { sealPayload } from '../payloads/payload.js';
import { taskDecider } from '../task/decider.js';
import { basisChecks } from './basis.js';
import type { EngineVersions } from './engines.js';
import { sealFact, writeOf } from '../streams/facts.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { isUrgent } from '../control/stops.js';
import type { TaskLane } from './task-lane.js';

/**
 * The call that a request makes. Refuses (400) a definition that has no digest, or another digest than the request
 * says.
 */
export function callOf(request: AuthorizeRequest, host: string): Result<Omit<Call, 'decidedAt'>, Refusal> {
  const { callId, taskId, capability, version, operation } = request;
  const { definition, definitionDigest, probe, server } = request.observed;
  let digest: Digest | undefined = definitionDigest;
  if (definition !== undefined) {
    const fingerprint = fingerprintDefinition(definition);
    if (!fingerprint.ok)
      return err(malformedDefinition(`/observed/definition${fingerprint.error.path}`, fingerprint.error.message));
    if (digest !== undefined && digest !== fingerprint.value.digest) {
      return err(malformedDefinition('/observed/definitionDigest', 'is not the digest of the definition beside it'));
    }
    digest = fingerprint.value.digest;
  }
  return ok({
    callId,
    taskId,
    host,
    capability,
    version,
    operation,
    arguments: inCanonicalOrder(request.arguments),
    context: request.context ?? [],
    contextItems: request.context?.length ?? 0,
    labels: request.labels ?? [],
    inputs: {},
    observed: defined({
      definition: digest,
      asked: probe,
      probe: probe === undefined ? undefined : digestOf(probe),
      server,
      whole: definition === undefined ? undefined : true,
    }),
  });
}

export function malformedDefinition(path: string, message: string): Refusal {
  return refusal('malformed_request', 'the definition cannot be digested', [{ path, message }]);
}

/** The members that an event adds to a decision. */
type Recorded = Pick<CallDecided, 'commitments' | 'engines'> &
  Partial<Pick<CallDecided, 'agent' | 'approval' | 'effects' | 'requestDigest' | 'user'>> & {
    readonly expiresAt?: Instant | undefined;
    readonly instanceId?: string | undefined;
  };

/** A decision as its event holds it, without the attempt. The fields are in the order of RFC 8785. */
export function decidedOf(
  call: Call,
  decision: Decision,
  basis: Basis,
  more: Recorded,
): Omit<CallDecided, 'attempt' | 'filtered'> {
  const { callId, taskId, host, capability, operation, contextItems } = call;
  const { version, rule, counts, reason } = decision;
  const approval = more.approval ?? decision.approval;
  const { agent, commitments, effects, engines, requestDigest, expiresAt, instanceId, user } = more;
  const inputs = Object.keys(call.inputs).length === 0 ? undefined : call.inputs;
  return defined({
    agent,
    approval,
    basis,
    callId,
    capability,
    checks: decision.checks.map(recordedCheck),
    commitments,
    contextItems,
    counts,
    decision: decision.decision,
    effects,
    engines,
    expiresAt,
    host,
    inputs,
    instanceId,
    observed: recordedObservation(call, decision),
    operation,
    reason,
    requestDigest,
    rule,
    taskId,
    user,
    version,
  });
}

/** The effects of the operation that a call names; undefined if it is not registered. */
export function effectsOf(
  { capability }: Pick<Snapshot, 'capability'>,
  { operation }: Pick<Call, 'operation'>,
  { version = '' }: Pick<Decision, 'version'>,
): CallDecided['effects'] {
  const known = capability?.versions.get(version);
  const effects = known === undefined ? undefined : ownValue(known.operations, operation)?.effects;
  return effects === undefined ? undefined : [...effects];
}

/**
 * The host's observation as the event holds it: the probe only by its digest, unless the evidence shows its members.
 */
function recordedObservation({ observed: { asked, ...observed } }: Call, decision: Decision): CallDecided['observed'] {
  const isShown = decision.checks.at(-1)?.evidence?.['probe'] !== undefined;
  return defined({ asked: isShown && asked !== undefined ? shownProbe(asked) : undefined, ...observed });
}

/**
 * The batch that records a decision: the event with its payload, the count against `maxCalls`, and the writes of
 * `beside`. An allow also carries its whole basis as preconditions.
 */
export function decisionBatch(input: {
  readonly lane: TaskLane;
  readonly request: AuthorizeRequest;
  readonly requestDigest: Digest;
  readonly call: Call;
  readonly decision: Decision;
  readonly snapshot: Snapshot;
  readonly engines: EngineVersions;
  readonly expiresAt: Instant | undefined;
  readonly beside: Pick<Batch, 'blobs' | 'writes'>;
  /** The approval that the deny asks for, if nobody has asked for it yet. */
  readonly requested: ApprovalRequested | undefined;
}): Result<{ batch: Batch; decided: CallDecided }, Refusal> {
  const { lane, request, requestDigest, call, decision, snapshot, engines, expiresAt, beside, requested } = input;
  const { basis } = snapshot;
  const { host: actor, decidedAt: time } = call;
  const expected = lane.calls.revision;
  const asking = requested && callsDecider.decide({ type: 'request-approval', requested, actor, time }, lane.calls);
  if (asking?.ok === false) return asking;
  const filtered = filteredOf(call, decision, engines);
  // The decision is the last event of its append.
  const revision = expected + (asking?.value.length ?? 0) + (filtered === undefined ? 1 : 2);
  const payload = sealPayload(lane.key, payloadPlace({ stream: lane.callsStream, revision }), contentOf(request));
  const { commitments } = payload;
  const { instanceId } = request;
  const decidedNow = decidedOf(call, decision, basis, {
    agent: lane.task.agent,
    approval: requested?.approvalId,
    user: lane.task.user.id,
    effects: effectsOf(snapshot, call, decision),
    commitments,
    engines,
    requestDigest,
    expiresAt,
    instanceId,
  });
  const recorded = callsDecider.decide(
    { type: 'record-decision', decided: decidedNow, filtered, actor, time },
    lane.calls,
  );
  if (!recorded.ok) return recorded;
  const fact = recorded.value.at(-1);
  if (fact?.type !== 'CallDecided') throw new Error('a decision without its event');
  const { traceId } = lane.task;
  const links = { traceId, correlationId: call.callId };
  const earlier = [...(asking?.value ?? []), ...recorded.value.slice(0, -1)];
  const before = earlier.map((each, index) => sealFact(lane.callsStream, expected + 1 + index, each, links));
  const event = sealFact(lane.callsStream, revision, fact, { ...links, payload: payload.bytes });
  const writes: StreamWrite[] = [...beside.writes];
  if (decision.decision === 'allow' && decision.counts !== undefined) {
    const counted = taskDecider.decide(
      { type: 'count', entry: decision.counts, callId: call.callId, actor, time },
      lane.task,
    );
    if (!counted.ok) return counted;
    writes.push(writeOf(lane.taskStream, lane.taskRevision, counted.value));
  }
  // This write is last, because the log answers with the position of the last event. So a repeat after a restart gets
  // the same position.
  writes.push({ stream: lane.callsStream, expected, events: [...before, event] });
  const written = new Set(writes.map((write) => write.stream));
  // A deny remains valid if other streams have changed. But the task that it saw may not have reached the log yet.
  const sawTask = { [lane.taskStream]: lane.taskRevision };
  const checks = basisChecks(decision.decision === 'allow' ? basis : sawTask, written);
  const blobs = beside.blobs ?? [];
  const urgent = isUrgent({ writes: beside.writes, blobs });
  return ok({ batch: defined({ writes, checks, blobs, urgent: urgent ? true : undefined }), decided: fact.data });
}

/** The content of a request, as its payload record holds it. */
function contentOf({ arguments: args, context = [], labels = [] }: AuthorizeRequest): Record<string, unknown> {
  const content: Record<string, unknown> = { arguments: args };
  if (context.length > 0) content['context'] = context;
  if (labels.length > 0) content['labels'] = labels;
  return content;
}

/** The work of the filter on a request, if it took anything out, refused anything, or found a label above `public`. */
export function filteredOf(
  call: Call,
  decision: Pick<Decision, 'filtered' | 'version'>,
  engines: EngineVersions,
): Omit<ContextFiltered, 'attempt'> | undefined {
  const { callId, taskId, capability, operation, host } = call;
  const record = decision.filtered?.record;
  const { pack } = engines;
  if (record === undefined || pack === undefined) return undefined;
  const { redactions, refusals, items, labels } = record;
  if ([redactions, refusals, items, labels].every(({ length }) => length === 0)) return undefined;
  const isFull = call.inputs.flowIsFull === true;
  return defined({
    attestedBy: host,
    callId,
    capability,
    flow: isFull ? ('full' as const) : undefined,
    items: items.map(({ categories, ...item }) => ({ ...defined(item), categories: [...categories] })),
    labels: labels.map(({ categories, ...label }) => ({ ...label, categories: [...categories] })),
    operation,
    pack,
    redactions: redactions.map((each) => ({ ...each })),
    refusals: refusals.map((each) => ({ ...each })),
    taskId,
    version: decision.version,
  });
}
