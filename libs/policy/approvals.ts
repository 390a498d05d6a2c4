import { isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import { highest } from '../vocabulary/grades.js';
import { ApprovalGrade } from '../vocabulary/words.js';
import { isName, isSign, policyStarts, type Token } from './tokens.js';

/** The approval that policies ask for: who must give it, and the policies by name, sorted. */
export interface PolicyApproval {
  readonly by: ApprovalGrade;
  readonly rules: readonly string[];
}

/** The grades that policies ask for, by their names. */
export type PolicyGrades = ReadonlyMap<string, ApprovalGrade>;

const ANNOTATION = 'approval';

/** The value of `@approval(…)`; undefined if the policy has none. */
function annotationOf(policy: Json): Json | undefined {
  const annotations = isJsonObject(policy) ? ownValue(policy, 'annotations') : undefined;
  return isJsonObject(annotations) ? ownValue(annotations, ANNOTATION) : undefined;
}

/**
 * The grade that a policy asks for. Sets that were accepted before `@approval` had a meaning may have any word there: it
 * counts as the highest grade.
 */
export function gradeOf(policy: Json): ApprovalGrade | undefined {
  const value = annotationOf(policy);
  return value === undefined ? undefined : ApprovalGrade.catch('other').parse(value);
}

/** The approval that determining policies ask for: the highest grade of them counts. */
export function approvalBy(determining: readonly string[], grades: PolicyGrades): PolicyApproval | undefined {
  if (grades.size === 0) return undefined;
  const rules = determining.filter((id) => grades.has(id));
  const by = highest(rules.flatMap((id) => grades.get(id) ?? []));
  return by && { by, rules };
}

/** The approval that several answers ask for together. */
export function joined(approvals: readonly PolicyApproval[]): PolicyApproval | undefined {
  const by = highest(approvals.map((each) => each.by));
  return by && { by, rules: [...new Set(approvals.flatMap(({ rules }) => rules))].sort() };
}

/** Annotations that ask for no known grade, and those of a `forbid`, which lets nothing through that could be approved. */
export function wrongApprovals(policies: readonly Json[], tokens: readonly Token[]) {
  const starts = policyStarts(tokens);
  return policies.flatMap((policy, index) => {
    const value = annotationOf(policy);
    if (value === undefined) return [];
    const at = placeFrom(tokens, starts[index] ?? 0);
    const isForbid = isJsonObject(policy) && ownValue(policy, 'effect') === 'forbid';
    if (isForbid)
      return [{ message: 'a forbid takes no @approval; put it on the permit that it should hold back', at }];
    if (ApprovalGrade.safeParse(value).success) return [];
    const grades = ApprovalGrade.options.map((grade) => `"${grade}"`).join(', ');
    const wrong = value === null ? '@approval has no grade' : `unknown approval ${JSON.stringify(value)}`;
    return [{ message: `${wrong}; the grades are ${grades}`, at }];
  });
}

/** The first `@approval` from a place on. */
function placeFrom(tokens: readonly Token[], start: number): number {
  const found = tokens.find(
    ({ at }, index) => at >= start && isSign(tokens[index], '@') && isName(tokens[index + 1], ANNOTATION),
  );
  return found?.at ?? start;
}
