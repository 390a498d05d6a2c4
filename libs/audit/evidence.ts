import type { CallDecided, OutcomeRecorded, RecordedCheck } from '../calls/events.js';
import { recordedTexts, type OutcomeTexts } from '../calls/outcome.js';
import { trustOf } from '../capability/exceptions.js';
import type { Envelope } from '../content/shapes.js';
import type {
  CallEvidence,
  CallFacts,
  CallSummary,
  GivenApproval,
  RegistryEvidence,
  ResponseEvidence,
} from '../contract/evidence.js';
import { outboundOf, unfilteredOutbound } from '../decision-point/answer.js';
import type { Check, Evidence } from '../decision/check.js';
import type { Decision } from '../decision/decide.js';
import { recordedCheck, shownCheck } from '../decision/record.js';
import { signatureOf } from '../capability/signature.js';
import { parseEvent } from '../event-log/event.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { families } from '../streams/catalogue.js';
import type { CheckName } from '../vocabulary/words.js';
import type { Attempt } from './attempts.js';
import type { Contents } from './contents.js';
import type { History } from './history.js';
import { recordedUser, resolvedUser, type Users } from './users.js';
import { redecide, type Reconstruction, type Reconstructor } from './reconstruct.js';

/** The readers that evidence is made by, for one request. */
export interface EvidenceSources {
  readonly reconstructor: Reconstructor;
  readonly history: History;
  readonly contents: Contents;
  readonly users: Users;
}

/** Evidence without content, for a list. */
export async function summaryOf(sources: EvidenceSources, attempt: Attempt): Promise<CallSummary> {
  const purpose = await purposeOf(sources, attempt);
  const inputs = await sources.reconstructor.reconstruct(attempt);
  const reconstruction = inputs.ok ? inputs.value : undefined;
  const facts = factsOf(attempt, reconstruction, reconstruction && redecide(attempt, reconstruction), purpose);
  const { decision } = attempt.decided;
  return {
    ...facts,
    user: facts.user && (await resolvedUser(sources.users, facts.user)),
    outbound: decision === 'deny' ? null : lacksFilter(attempt) ? 'damaged' : filteredFacts(attempt),
    response: responseFacts(attempt) ?? noResponse(attempt),
  };
}

/** All evidence of an attempt except its history. */
export async function evidenceOf(
  sources: EvidenceSources,
  attempt: Attempt,
): Promise<Omit<CallEvidence, 'capabilityHistory'>> {
  const { contents, users } = sources;
  const purpose = await purposeOf(sources, attempt);
  const inputs = await sources.reconstructor.reconstruct(attempt);
  const reconstruction = inputs.ok ? inputs.value : undefined;
  // These lines come before the next await, because the states are live.
  const again = reconstruction && redecide(attempt, reconstruction);
  const facts = factsOf(attempt, reconstruction, again, purpose);
  const outbound = outboundEvidence(attempt, reconstruction, again);
  const response = await responseEvidence(contents, attempt);
  const user = facts.user && (await resolvedUser(users, facts.user));
  const approval = facts.outcome?.control?.approval;
  return { ...facts, user, outbound, response, outcome: await outcomeEvidence(contents, attempt, approval) };
}

/** The purpose of the task, or why it is gone; null if the call belongs to no task of its host. */
async function purposeOf(
  { history, contents }: EvidenceSources,
  { refused, decided }: Attempt,
): Promise<string | null> {
  if (refused) return null;
  const [opened] = await history.events(families.task.stream(decided.taskId));
  if (opened === undefined) return 'damaged';
  const content = await contents.ofTask(opened, decided.taskId);
  return typeof content === 'string' ? content : content.purpose;
}

type ResponseFacts = Exclude<CallSummary['response'], 'damaged' | null>;

const noResponse = ({ lost }: Attempt) => (lost?.response === undefined ? null : 'damaged');

function responseFacts({ response, released }: Attempt): ResponseFacts | undefined {
  if (response === undefined) return undefined;
  const { verdict, handling = null, findings, leftOut, label = null, engines = null } = response.validated;
  return defined({ verdict, handling, findings, leftOut, label, engines, released: releaseOf(released) });
}

/** A release, as evidence tells it. */
export function releaseOf(released: Attempt['released']): ResponseEvidence['released'] {
  if (released === undefined) return null;
  const { by, at, reason, event } = released;
  return { by, at, reason, position: String(event.position) };
}

/** `again` is the decision that is made again of the inputs. */
function factsOf(
  attempt: Attempt,
  inputs: Reconstruction | undefined,
  again: Decision | undefined,
  purpose: string | null,
): CallFacts {
  const { decided, envelope, event, outcome } = attempt;
  const { callId, taskId, host, capability, version = null, operation, decision, reason, rule = null } = decided;
  const checks = checksOf(decided, again);
  const { task, policySet } = inputs?.snapshot ?? {};
  const server = evidenceIn(checks, 'server_identity');
  return {
    callId,
    taskId,
    traceId: envelope.traceId ?? null,
    host,
    agent: task?.agent ?? decided.agent ?? null,
    user: task === undefined ? null : recordedUser(task),
    purpose,
    attestedBy: host,
    policyVersion: policySet?.active?.policyVersion ?? null,
    ...(inputs === undefined || attempt.lost !== undefined ? { damaged: true as const } : {}),
    time: envelope.time,
    attempt: decided.attempt,
    capability,
    version,
    operation,
    decision,
    reason,
    position: String(event.position),
    checks,
    ...(inputs?.engineGone === true ? { engine: 'engine_gone' as const } : {}),
    registry: registryOf(inputs, decided, checks),
    serverAuthentication: server && pick(server, ['method', 'result', 'expected', 'observed']),
    scopeCheck: {
      capability: evidenceIn(checks, 'capability_scope'),
      task: evidenceIn(checks, 'task_scope'),
      user: evidenceIn(checks, 'user_authority'),
      rule,
      reason,
    },
    credential: null,
    outcome:
      outcome === undefined ? null : outcomeFacts(outcome.recorded, inputs && givenApproval(decided, inputs, checks)),
  };
}

/** The recorded checks. If the replay gives the same checks, they carry the evidence that the basis pins. */
function checksOf({ checks }: CallDecided, again: Decision | undefined): readonly Check[] {
  const same =
    again?.checks.length === checks.length &&
    again.checks.every((check, index) => isSameCheck(recordedCheck(check), checks[index]));
  return same ? again.checks : checks.map(shownCheck);
}

/** Most recorded checks are bare names, which compare at once. */
function isSameCheck(again: RecordedCheck, recorded: RecordedCheck | undefined): boolean {
  return again === recorded || (recorded !== undefined && canonicalJson(again) === canonicalJson(recorded));
}

function evidenceIn(checks: readonly Check[], name: CheckName): Evidence | null {
  const check = checks.find((each) => each.check === name);
  return check === undefined || check.outcome === 'skipped' ? null : (check.evidence ?? null);
}

function pick(evidence: Evidence, names: readonly string[]): Evidence {
  return Object.fromEntries(names.map((name) => [name, evidence[name] ?? null]));
}

function registryOf(
  inputs: Reconstruction | undefined,
  decided: CallDecided,
  checks: readonly Check[],
): RegistryEvidence | null {
  const { capability, publisherOf = () => undefined } = inputs?.snapshot ?? {};
  if (capability === undefined) return null;
  const { id, kind, category, owner } = capability;
  const version = capability.versions.get(decided.version ?? '');
  const trust = version && trustOf(version);
  const signed = version && signatureOf(capability, version, publisherOf, inputs?.call.decidedAt ?? '');
  return defined({
    capability: id,
    kind,
    category,
    owner,
    source: version?.source ?? null,
    version: version?.version ?? null,
    definitionDigest: version?.definitionDigest ?? null,
    signature: evidenceIn(checks, 'signature') ?? signed ?? null,
    review: version?.review ?? null,
    trust,
  });
}

/** The content that was allowed to be sent: the content is filtered again, as when it was decided. */
function outboundEvidence(
  attempt: Attempt,
  inputs: Reconstruction | undefined,
  again: Decision | undefined,
): CallEvidence['outbound'] {
  const { decided } = attempt;
  if (decided.decision === 'deny') return null;
  if (inputs?.content === 'shredded' || inputs?.content === 'key_missing') return inputs.content;
  if (inputs?.arguments === undefined) return 'damaged';
  const { contextItems } = inputs.call;
  if (isUnfiltered(decided)) return unfilteredOutbound(inputs.arguments, contextItems);
  if (again?.decision === 'allow') return outboundOf(again.filtered, contextItems);
  if (lacksFilter(attempt)) return 'damaged';
  // Without the filter of then, only its record is known.
  const { redactions, refusals } = filteredFacts(attempt);
  return inputs.engineGone ? { arguments: {}, context: [], redactions, refusals, labels: [] } : 'damaged';
}

/** The decision names a record of the filter that cannot be read. */
const lacksFilter = ({ lost }: Attempt): boolean => lost?.filtered !== undefined;

/** The work of the filter as the events say it. */
function filteredFacts({ decided, filtered }: Attempt): Exclude<CallSummary['outbound'], 'damaged' | null> {
  const { redactions, refusals } = filtered?.data ?? outboundOf(undefined, decided.filtered ? 0 : decided.contextItems);
  return { redactions, refusals };
}

/** Deciders 1 and 2 recorded no filter. */
const isUnfiltered = ({ engines }: CallDecided): boolean => engines.decider <= 2;

const outcomeFacts = (
  { status, effect, control }: OutcomeRecorded,
  approval: GivenApproval | undefined,
): CallFacts['outcome'] => ({ status, effect: effect ?? null, control: controlOf(control, approval) });

/** The control that the host tells of, with the approval that the service recorded. Without the first, the second is it. */
function controlOf<Told extends NonNullable<OutcomeRecorded['control']>>(
  told: Told | undefined,
  approval: GivenApproval | undefined,
) {
  if (approval === undefined) return told ?? null;
  return { ...(told ?? { decision: approval.decision, by: approval.by }), approval };
}

/** The approval that an allow rested on. A client's word that came without a request has no id. */
function givenApproval(
  { decision, approval: id, inputs, host }: CallDecided,
  { snapshot, call }: Reconstruction,
  checks: readonly Check[],
): GivenApproval | undefined {
  const evidence = evidenceIn(checks, 'approval');
  if (decision !== 'allow' || evidence?.['required'] === false) return undefined;
  const found = id === undefined ? undefined : snapshot.calls.approvalOf(call, call.version ?? '');
  const at = found?.decided?.at ?? inputs?.clientApproval?.at;
  if (at === undefined) return undefined;
  const { decided } = found ?? {};
  const given = { decision: 'granted', by: decided?.by ?? host, grade: decided?.data.grade ?? 'client', at } as const;
  return defined({ id, ...given });
}

/** The outcome with its texts. If they are gone, the reason (`NoContent`) replaces each. */
async function outcomeEvidence(
  contents: Contents,
  { outcome, decided }: Attempt,
  approval: GivenApproval | undefined,
): Promise<CallEvidence['outcome']> {
  if (outcome === undefined) return null;
  const { status, effect, control } = outcome.recorded;
  const { summary, reference, reason } = await outcomeTextsOf(contents, outcome, decided.taskId);
  return {
    status,
    effect: effect === undefined ? null : { ...effect, ...defined({ summary, reference }) },
    control: controlOf(control && { ...control, ...defined({ reason }) }, approval),
  };
}

async function outcomeTextsOf(
  contents: Contents,
  { event, recorded: { commitments } }: NonNullable<Attempt['outcome']>,
  taskId: string,
): Promise<OutcomeTexts> {
  const inTheClear = recordedTexts(parseEvent(event.json));
  if (inTheClear !== undefined || commitments === undefined) return inTheClear ?? {};
  const content = await contents.of(event, taskId, commitments);
  const names = Object.keys(commitments);
  if (typeof content === 'string') return Object.fromEntries(names.map((name) => [name, content]));
  return content.parts;
}

async function responseEvidence(contents: Contents, attempt: Attempt): Promise<CallEvidence['response']> {
  const { response, decided } = attempt;
  const facts = responseFacts(attempt);
  if (response === undefined || facts === undefined) return noResponse(attempt);
  const content = await contents.of(response.event, decided.taskId, response.validated.commitments);
  if (typeof content === 'string') return content;
  const { raw = null, validated } = content.parts;
  // The Responder wrote the envelope, and its commitments have just been verified.
  const envelope = (validated ?? null) as Envelope | null;
  return { raw, validated: envelope, sourceLabel: envelope?.source ?? null, ...facts };
}
