import type { CallDecided } from '../calls/events.js';
import { shownCheck } from '../decision/record.js';
import type { ArgumentError, Engines } from '../decision/snapshot.js';
import { ok } from '../kernel/result.js';
import type { CheckName } from '../vocabulary/words.js';

/**
 * Engines that answer from the record, for a call whose content is not read. The rest of its decision is still
 * computed. The policies that determined a pass are known from `rule` alone. None is known if a later check failed,
 * and a name with ", " counts as two. Throws if the record has no answer.
 */
export function recordedEngines({ checks, rule, reason }: CallDecided): Engines {
  const recorded = (name: CheckName) => {
    const check = checks.map(shownCheck).find((each) => each.check === name);
    if (check === undefined || check.outcome === 'skipped') throw new Error(`${name} was not reached`);
    return { passed: check.outcome === 'pass', evidence: check.evidence ?? {} };
  };
  return {
    authority() {
      const { passed, evidence } = recorded('user_authority');
      if (passed) return { outcome: 'allow', determining: rule === undefined ? [] : rule.split(', ') };
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
  };
}
