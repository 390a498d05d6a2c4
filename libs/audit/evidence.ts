import type { CallDecided, OutcomeRecorded, RecordedCheck } from '../calls/events.js';
import { trustOf } from '../capability/exceptions.js';
import type { Source } from '../capability/manifest.js';
import type { CapabilityState, Review } from '../capability/state.js';
import type { Envelope, Finding } from '../content/shapes.js';
import { outboundOf, type Outbound } from '../decision-point/answer.js';
import type { Check, Evidence } from '../decision/check.js';
import type { Decision } from '../decision/decide.js';
import { recordedCheck, shownCheck } from '../decision/record.js';
import { signatureResult } from '../decision/version-checks.js';
import { canonicalJson, type Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Instant } from '../kernel/time.js';
import type { Kind, CheckName, ResponseVerdict } from '../vocabulary/words.js';
import type { Attempt } from './attempts.js';
import type { Contents, NoContent } from './contents.js';
import { redecide, type Reconstruction, type Reconstructor } from './reconstruct.js';
import type { StoredEvent } from './stored-event.js';

/**
 * The evidence of one recorded attempt (`contract.md`, Evidence; the pattern's eight items of audit evidence). Content
 * that is not what its event committed to is `damaged`: it is not shown, and not mistaken for shredded content.
 */
export interface CallEvidence extends CallFacts {
  /** A4: what the host was given to send; null for a deny. */
  readonly outbound: Outbound | NoContent | null;
  /** A6: what came back for this attempt. */
  readonly response: ResponseEvidence | NoContent | null;
  /** A8: see `capabilityHistory`. */
  readonly capabilityHistory: readonly StoredEvent[];
}

/** The same without content and history, as lists show it. Nothing is decrypted for it. */
export interface CallSummary extends CallFacts {
  readonly outbound: Pick<Outbound, 'redactions' | 'refusals'> | null;
  readonly response: Pick<ResponseEvidence, 'verdict' | 'findings'> | null;
}

export interface CallFacts {
  readonly callId: string;
  readonly taskId: string;
  readonly host: string;
  /** On the host's word, as `attestedBy` says; null where the call belongs to no task of the host. */
  readonly user: { readonly id: string; readonly roles: readonly string[]; readonly attestedBy: string } | null;
  readonly time: Instant;
  readonly attempt: number;
  readonly capability: string;
  readonly version: string | null;
  readonly operation: string;
  readonly decision: 'allow' | 'deny';
  readonly reason: string;
  readonly position: string;
  /** With all evidence, by deciding again; with what was recorded alone where that does not come out the same. */
  readonly checks: readonly Check[];
  /** A1, as of the decision; the version's fields are null where the call reached no registered version. */
  readonly registry: RegistryEvidence | null;
  /** A2; null where the check was not reached. */
  readonly serverAuthentication: Evidence | null;
  /** A3: the evidence of each check, null where it was not reached or not asked. */
  readonly scopeCheck: {
    readonly capability: Evidence | null;
    readonly task: Evidence | null;
    readonly user: Evidence | null;
    readonly rule: string | null;
    readonly reason: string;
  };
  /** A5: nothing is issued yet. */
  readonly credential: null;
  /** A7. */
  readonly outcome: {
    readonly status: OutcomeRecorded['status'];
    readonly effect: OutcomeRecorded['effect'] | null;
    readonly control: OutcomeRecorded['control'] | null;
  } | null;
}

export interface RegistryEvidence {
  readonly capability: string;
  readonly kind: Kind;
  readonly category: string;
  readonly owner: string;
  readonly source: Source | null;
  readonly version: string | null;
  readonly definitionDigest: string | null;
  readonly signature: Evidence | null;
  readonly review: Review | null;
  /** Present if a reviewer accepted that nothing proves which server this is. */
  readonly trust?: 'low';
}

export interface ResponseEvidence {
  /** `{result}` or `{error}`, as the server sent it. */
  readonly raw: Json;
  /** What the agent was given; null where nothing was delivered. */
  readonly validated: Envelope | null;
  readonly sourceLabel: Envelope['source'] | null;
  readonly verdict: ResponseVerdict;
  readonly findings: readonly Finding[];
}

/** Evidence without content, for a list. */
export async function summaryOf(reconstructor: Reconstructor, attempt: Attempt): Promise<CallSummary> {
  const inputs = await reconstructor.reconstruct(attempt);
  const { decision, contextItems } = attempt.decided;
  const { redactions, refusals } = outboundOf({}, contextItems);
  const validated = attempt.response?.validated;
  return {
    ...factsOf(attempt, inputs.ok ? inputs.value : undefined),
    outbound: decision === 'allow' ? { redactions, refusals } : null,
    response: validated === undefined ? null : { verdict: validated.verdict, findings: validated.findings },
  };
}

/** All evidence of an attempt but its history. */
export async function evidenceOf(
  reconstructor: Reconstructor,
  contents: Contents,
  attempt: Attempt,
): Promise<Omit<CallEvidence, 'capabilityHistory'>> {
  const inputs = await reconstructor.reconstruct(attempt);
  const reconstruction = inputs.ok ? inputs.value : undefined;
  // Before anything is waited for: the states are live.
  const facts = factsOf(attempt, reconstruction);
  const outbound = outboundEvidence(attempt.decided, reconstruction);
  return { ...facts, outbound, response: await responseEvidence(contents, attempt) };
}

function factsOf(attempt: Attempt, inputs: Reconstruction | undefined): CallFacts {
  const { decided, envelope, event, outcome } = attempt;
  const { callId, taskId, host, capability, version = null, operation, decision, reason, rule = null } = decided;
  const checks = checksOf(decided, inputs && redecide(attempt, inputs));
  const user = inputs?.snapshot.task?.user;
  const server = evidenceIn(checks, 'server_identity');
  return {
    callId,
    taskId,
    host,
    user: user === undefined ? null : { id: user.id, roles: user.roles, attestedBy: user.attestedBy },
    time: envelope.time,
    attempt: decided.attempt,
    capability,
    version,
    operation,
    decision,
    reason,
    position: String(event.position),
    checks,
    registry: registryOf(inputs?.snapshot.capability, decided, checks),
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
      outcome === undefined
        ? null
        : { status: outcome.status, effect: outcome.effect ?? null, control: outcome.control ?? null },
  };
}

/** The recorded checks, with the evidence that the basis pins where deciding again gives just these checks. */
function checksOf({ checks }: CallDecided, again: Decision | undefined): readonly Check[] {
  const same =
    again?.checks.length === checks.length &&
    again.checks.every((check, index) => isSameCheck(recordedCheck(check), checks[index]));
  return same ? again.checks : checks.map(shownCheck);
}

/** Most of them are bare names. */
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
  capability: CapabilityState | undefined,
  decided: CallDecided,
  checks: readonly Check[],
): RegistryEvidence | null {
  if (capability === undefined) return null;
  const { id, kind, category, owner } = capability;
  const version = capability.versions.get(decided.version ?? '');
  const trust = version && trustOf(version);
  const signed = version && { result: signatureResult(version.documents.signature !== undefined) };
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

function outboundEvidence(decided: CallDecided, inputs: Reconstruction | undefined): CallEvidence['outbound'] {
  if (decided.decision === 'deny') return null;
  if (inputs?.content === 'shredded') return 'shredded';
  return inputs?.arguments === undefined ? 'damaged' : outboundOf(inputs.arguments, inputs.call.contextItems);
}

async function responseEvidence(contents: Contents, { response, decided }: Attempt): Promise<CallEvidence['response']> {
  if (response === undefined) return null;
  const { verdict, findings, commitments } = response.validated;
  const content = await contents.of(response.event, decided.taskId, commitments);
  if (typeof content === 'string') return content;
  const { raw = null, validated } = content.parts;
  // It is what the Responder wrote: the commitments have just been verified.
  const envelope = (validated ?? null) as Envelope | null;
  return { raw, validated: envelope, sourceLabel: envelope?.source ?? null, verdict, findings };
}
