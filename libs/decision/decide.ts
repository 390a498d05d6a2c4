import type { FilterResult } from '../content/filter/shapes.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import type { CheckName, ReasonCode } from '../vocabulary/words.js';
import type { Call } from './call.js';
import { approval } from './approval-check.js';
import { argumentsValid, capabilityScope, context, credential, taskScope, userAuthority } from './call-checks.js';
import { fail, questionOf, skip, type ApprovalNeed, type Check, type CheckResult, type Question } from './check.js';
import type { Engines, Snapshot } from './snapshot.js';
import { definition, notDisabled, pinned, registered, reviewed, serverIdentity, signature } from './version-checks.js';

/** The checks of one version of the rules, in order: name, function, and whether `$connect` asks for it. */
export type Checks = readonly (readonly [CheckName, (question: Question) => CheckResult, 'always' | 'calls'])[];

const CHECKS: Checks = [
  ['registered', registered, 'always'],
  ['not_disabled', notDisabled, 'always'],
  ['reviewed', reviewed, 'always'],
  ['pinned', pinned, 'always'],
  ['definition', definition, 'always'],
  ['signature', signature, 'always'],
  ['server_identity', serverIdentity, 'always'],
  ['capability_scope', capabilityScope, 'calls'],
  ['task_scope', taskScope, 'calls'],
  ['user_authority', userAuthority, 'calls'],
  ['arguments', argumentsValid, 'calls'],
  ['approval', approval, 'calls'],
  ['context', context, 'calls'],
  ['credential', credential, 'calls'],
];

export interface Decision {
  readonly decision: 'allow' | 'deny';
  readonly reason: 'ok' | ReasonCode;
  /** The directive's target or the policies that decided. */
  readonly rule?: string | undefined;
  readonly version?: string | undefined;
  /** In order, up to and including the first that failed. Each has all of its evidence. */
  readonly checks: readonly Check[];
  readonly obligations: readonly string[];
  readonly targets: readonly string[];
  /** Scope entry whose `maxCalls` an allow counts against. */
  readonly counts?: number | undefined;
  /** The approval that the decision rests on or waits for. */
  readonly approval?: string | undefined;
  /** The approval that a deny asks for. */
  readonly need?: ApprovalNeed | undefined;
  /** When the key expires that carries the signature. An allow ends before it. */
  readonly signedUntil?: Instant | undefined;
  /** The part of the request that may be sent, if the check `context` was reached. */
  readonly filtered?: FilterResult | undefined;
}

/** Decides a call. Pure, and never throws: an exception inside a check denies. */
export type Decide = (snapshot: Snapshot, call: Call, engines: Engines) => Decision;

/** Allows or denies by the current rules, which `deciders/registry.ts` numbers. */
export const decide: Decide = (snapshot, call, engines) => decideBy(CHECKS, snapshot, call, engines);

/** Runs the checks in order. The first that fails names the reason. */
export function decideBy(ordered: Checks, snapshot: Snapshot, call: Call, engines: Engines): Decision {
  const question = questionOf(snapshot, call, engines);
  const { versionId: version, targets } = question;
  const checks: Check[] = [];
  let rule: string | undefined;
  let counts: number | undefined;
  let approvalId: string | undefined;
  let filtered: FilterResult | undefined;
  for (const [check, make, when] of ordered) {
    const result = question.connecting && when === 'calls' ? skip() : resultOf(make, question);
    checks.push({ check, outcome: result.outcome, evidence: result.evidence });
    rule = result.rule ?? rule;
    approvalId = result.approval ?? approvalId;
    filtered = result.outcome === 'skipped' ? filtered : (result.filtered ?? filtered);
    if (result.outcome === 'fail') {
      const { reason, need } = result;
      const duties = result.obligation === undefined ? [] : [result.obligation];
      const obligations = [...duties, ...(filtered?.obligations ?? [])];
      const shown = { rule: result.rule, version, checks, obligations, targets, approval: approvalId, need };
      return { decision: 'deny', reason, ...shown, filtered };
    }
    counts = result.counts ?? counts;
  }
  return {
    decision: 'allow',
    reason: 'ok',
    rule,
    version,
    checks,
    obligations: filtered?.obligations ?? [],
    targets,
    counts,
    approval: approvalId,
    signedUntil: signedUntil(question),
    filtered,
  };
}

/** The answer of the check `context` alone, for a call that an earlier check denied. */
export const contextAlone = (snapshot: Snapshot, call: Call, engines: Engines): CheckResult =>
  resultOf(context, questionOf(snapshot, call, engines));

function signedUntil({ snapshot, signed }: Question): Instant | undefined {
  if (signed?.result !== 'verified') return undefined;
  return snapshot.publisherOf(signed.publisher)?.keys.get(signed.keyId)?.notAfter;
}

function resultOf(make: (question: Question) => CheckResult, question: Question): CheckResult {
  try {
    return make(question);
  } catch {
    return fail('internal_error', {});
  }
}

/** A deny for a reason outside the checks. */
export function denyFor(reason: 'internal_error' | 'view_stale', version: string | undefined): Decision {
  return { decision: 'deny', reason, version, checks: [], obligations: [], targets: [] };
}

/** An allow ends with its lease, its task or its key, whichever ends first. `leaseMs` is in milliseconds. */
export function expiryOf(
  { task }: Pick<Snapshot, 'task'>,
  { signedUntil: keyEnds }: Pick<Decision, 'signedUntil'>,
  decidedAt: Instant,
  leaseMs: number,
): Instant {
  const leaseEnds = toInstant(toMs(decidedAt) + leaseMs);
  return [task?.expiresAt, keyEnds].reduce<Instant>(
    (first, ends) => (ends !== undefined && ends < first ? ends : first),
    leaseEnds,
  );
}
