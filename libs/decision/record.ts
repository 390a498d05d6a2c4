import type { CallDecided, RecordedCheck } from '../calls/events.js';
import { defined } from '../kernel/defined.js';
import { digestOf, type Digest } from '../kernel/digest.js';
import type { Check } from './check.js';

/** A check as an event holds it. Only a failed check keeps its evidence: the rest follows from the basis. */
export function recordedCheck({ check, outcome, evidence }: Check): RecordedCheck {
  if (outcome === 'pass') return check;
  return outcome === 'fail' && evidence !== undefined ? [check, outcome, evidence] : [check, outcome];
}

/** A recorded check as answers show it. */
export function shownCheck(recorded: RecordedCheck): Check {
  if (typeof recorded === 'string') return { check: recorded, outcome: 'pass' };
  const [check, outcome, evidence] = recorded;
  return defined({ check, outcome, evidence });
}

/** The digest that replay compares: `sha256(JCS({decision, reason, rule, checks, commitments, basis}))`. */
export function decisionDigest(
  decided: Pick<CallDecided, 'decision' | 'reason' | 'rule' | 'checks' | 'commitments' | 'basis'>,
): Digest {
  const { decision, reason, rule, checks, commitments, basis } = decided;
  return digestOf({ decision, reason, rule, checks, commitments, basis });
}
