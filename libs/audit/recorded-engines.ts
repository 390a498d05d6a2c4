import type { ApprovalRequested, CallDecided } from '../calls/events.js';
import type { ApprovalNeed } from '../decision/check.js';
import { shownCheck } from '../decision/record.js';
import type { ArgumentError, Engines } from '../decision/snapshot.js';
import { failed } from '../content/filter/filter.js';
import type { Denial } from '../content/filter/shapes.js';
import { ok } from '../kernel/result.js';
import type { PolicyApproval } from '../policy/approvals.js';
import type { CheckName } from '../vocabulary/words.js';

/**
 * Engines that answer from the record, for a call whose content is not read. The rest of its decision is still
 * computed. The policies that determined a pass are known from `rule` alone. None is known if a later check failed,
 * and a name with ", " counts as two. `asked` is the approval that the record names. Throws if the record has no answer.
 */
export function recordedEngines({ checks, rule, reason }: CallDecided, asked?: ApprovalRequested): Engines {
  const recorded = (name: CheckName) => {
    const check = checks.map(shownCheck).find((each) => each.check === name);
    if (check === undefined || check.outcome === 'skipped') throw new Error(`${name} was not reached`);
    return { passed: check.outcome === 'pass', evidence: check.evidence ?? {} };
  };
  return {
    authority() {
      const { passed, evidence } = recorded('user_authority');
      const approval = approvalIn(checks, asked);
      if (passed) return { outcome: 'allow', determining: namesIn(rule), ...(approval && { approval }) };
      const { determining } = evidence as { determining?: readonly string[] };
      return { outcome: reason === 'policy_error' ? 'error' : 'deny', determining: determining ?? [] };
    },
    named() {
      const { evidence } = recorded('arguments');
      const { errors } = evidence as { errors?: readonly ArgumentError[] };
      return errors ?? [];
    },
    // The record has all errors of the check in one list, which `named` returns.
    arguments: () => ok(undefined),
    filter() {
      const { passed, evidence } = recorded('context');
      if (passed) return { ...failed(), denial: undefined };
      return { ...failed(), denial: { reason, evidence } as Denial };
    },
  };
}

const namesIn = (rule: string | undefined): readonly string[] => (rule === undefined ? [] : rule.split(', '));

/** The approval that policies asked for, by the failed check, else by the approval that the call used. */
function approvalIn(checks: CallDecided['checks'], asked: ApprovalRequested | undefined): PolicyApproval | undefined {
  const failed = checks.map(shownCheck).find(({ check, outcome }) => check === 'approval' && outcome === 'fail');
  const need = (failed?.evidence ?? asked) as Partial<ApprovalNeed> & Partial<Pick<ApprovalRequested, 'grade'>>;
  const by = need?.by ?? need?.grade;
  const isPolicy = need?.why?.includes('policy') === true;
  return isPolicy && by !== undefined ? { by, rules: namesIn(need.rule) } : undefined;
}
