import { isJsonObject, ownValue, type Json } from '#libs/kernel/canonical-json.js';

/** What of a question a policy set can see beside the ids of user, roles, action and operation, which all see. */
export type Readable = 'arguments' | 'purpose' | 'agent' | 'host' | 'sensitivity' | 'attributes';

const CONTEXT: readonly Readable[] = ['arguments', 'purpose', 'agent', 'host', 'sensitivity'];

/**
 * Reads from the JSON form of policies (Cedar, "JSON policy format") which parts of a question can change their answer:
 * two questions that differ in nothing else are one question. Errs on the side of more: whatever is not a plain access
 * to an attribute of `context` or `principal` counts as all of it.
 */
export function readsOf(policies: readonly Json[]): ReadonlySet<Readable> {
  const reads = new Set<Readable>();
  for (const policy of policies) visit(policy, false, reads);
  return reads;
}

/** `accessed`: an attribute of whatever this expression comes to is looked at. */
function visit(node: Json, accessed: boolean, reads: Set<Readable>): void {
  if (typeof node !== 'object' || node === null) return;
  if (!isJsonObject(node)) {
    for (const item of node) visit(item, accessed, reads);
    return;
  }
  const variable = ownValue(node, 'Var');
  if (variable === 'context') for (const each of CONTEXT) reads.add(each);
  if (variable === 'principal' && accessed) reads.add('attributes');
  for (const [operator, operand] of Object.entries(node)) {
    const left = isJsonObject(operand) ? ownValue(operand, 'left') : undefined;
    if ((operator !== '.' && operator !== 'has') || left === undefined || !isJsonObject(operand)) {
      visit(operand, accessed, reads);
      continue;
    }
    const attribute = ownValue(operand, 'attr');
    if (isJsonObject(left) && ownValue(left, 'Var') === 'context') {
      for (const each of CONTEXT) if (each === attribute) reads.add(each);
    } else visit(left, true, reads);
  }
}
