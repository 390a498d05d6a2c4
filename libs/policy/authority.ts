import type { Effect } from '../vocabulary/words.js';
import { joined, type PolicyApproval } from './approvals.js';
import type { AuthorityAnswer } from './cedar.js';

/**
 * Asks once for each effect of an operation. The first answer that does not allow is final, else all determining
 * policies are joined, and of the approvals that they ask for the highest counts.
 */
export function authorityOver(effects: readonly Effect[], ask: (effect: Effect) => AuthorityAnswer): AuthorityAnswer {
  const determining = new Set<string>();
  const approvals: PolicyApproval[] = [];
  for (const effect of effects) {
    const answer = ask(effect);
    if (answer.outcome !== 'allow') return answer;
    for (const id of answer.determining) determining.add(id);
    if (answer.approval !== undefined) approvals.push(answer.approval);
  }
  const approval = joined(approvals);
  return { outcome: 'allow', determining: [...determining].sort(), ...(approval && { approval }) };
}

/** The `rule` of an answer: the determining policies by name. */
export const ruleText = (determining: readonly string[]): string => determining.join(', ');
