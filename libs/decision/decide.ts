import { CEDAR_VERSION } from '../policy/cedar.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import type { CheckName, ReasonCode } from '../vocabulary/words.js';
import type { Call } from './call.js';
import { argumentsValid, capabilityScope, context, credential, taskScope, userAuthority } from './call-checks.js';
import { fail, questionOf, skip, type Check, type CheckResult, type Question } from './check.js';
import type { Engines, Snapshot } from './snapshot.js';
import { definition, notDisabled, pinned, registered, reviewed, serverIdentity, signature } from './version-checks.js';

/**
 * Rises whenever the same inputs could be decided otherwise than before; a check keeps the earlier rule for records of
 * then. 2: an equal definition passes under any probe, arguments name what the operation names, errors of arguments
 * name the member, policies see nulls, and `multipleOf` is decided on decimal digits. What a `pattern` means is not
 * versioned: records of decider 1 meet the patterns of today.
 */
const DECIDER_VERSION = 2;

/** The deciding software, as evidence names it. */
export const ENGINE_VERSIONS = { cedar: CEDAR_VERSION, decider: DECIDER_VERSION };

/** Names the check, how it is made, and whether a `$connect` asks for it. */
const CHECKS: readonly [CheckName, (question: Question) => CheckResult, 'always' | 'calls'][] = [
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
  ['context', context, 'calls'],
  ['credential', credential, 'calls'],
];

export interface Decision {
  readonly decision: 'allow' | 'deny';
  readonly reason: 'ok' | ReasonCode;
  /** The directive's target or the policies that decided. */
  readonly rule?: string | undefined;
  readonly version?: string | undefined;
  /** In order, up to and with the first that failed; each with all of its evidence. */
  readonly checks: readonly Check[];
  readonly obligations: readonly string[];
  readonly targets: readonly string[];
  /** Scope entry whose `maxCalls` an allow counts against. */
  readonly counts?: number | undefined;
}

/**
 * Allow or deny: the checks in their order, the first that fails names the reason. Pure; what throws denies. `decider` is
 * the version of the rules: that of the record in a replay.
 */
export function decide(snapshot: Snapshot, call: Call, engines: Engines, decider = DECIDER_VERSION): Decision {
  const question = questionOf(snapshot, call, engines, decider);
  const { versionId: version, targets } = question;
  const checks: Check[] = [];
  let rule: string | undefined;
  let counts: number | undefined;
  for (const [check, make, when] of CHECKS) {
    const result = question.connecting && when === 'calls' ? skip() : made(make, question);
    checks.push({ check, outcome: result.outcome, evidence: result.evidence });
    rule = result.rule ?? rule;
    if (result.outcome === 'fail') {
      const obligations = result.obligation === undefined ? [] : [result.obligation];
      return { decision: 'deny', reason: result.reason, rule: result.rule, version, checks, obligations, targets };
    }
    counts = result.counts ?? counts;
  }
  return { decision: 'allow', reason: 'ok', rule, version, checks, obligations: [], targets, counts };
}

function made(make: (question: Question) => CheckResult, question: Question): CheckResult {
  try {
    return make(question);
  } catch {
    return fail('internal_error', {});
  }
}

/** A deny for a reason that lies outside the checks. */
export function denyFor(reason: 'internal_error' | 'view_stale', version: string | undefined): Decision {
  return { decision: 'deny', reason, version, checks: [], obligations: [], targets: [] };
}

/** An allow never outlives its lease, nor its task. `leaseMs` is in milliseconds. */
export function expiryOf(snapshot: Snapshot, decidedAt: Instant, leaseMs: number): Instant {
  const leaseEnds = toInstant(toMs(decidedAt) + leaseMs);
  const taskEnds = snapshot.task?.expiresAt ?? leaseEnds;
  return taskEnds < leaseEnds ? taskEnds : leaseEnds;
}
