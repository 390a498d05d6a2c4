import { isJsonObject, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { formOf, hasKeys, isEntity, isList } from './forms.js';
import { CONTEXT_ATTRIBUTES } from './schema.js';

/** The parts of a question that only some sets see. Every set sees the ids of user, roles, action and operation. */
export type Readable = (typeof CONTEXT_ATTRIBUTES)[number] | 'attributes';

const EVERYTHING: ReadonlySet<Readable> = new Set<Readable>([...CONTEXT_ATTRIBUTES, 'attributes']);

/**
 * Reads from the JSON form of policies (Cedar, "JSON policy format") which parts of a question can change their answer.
 * Two questions that differ only in other parts get the same answer. A policy with any part outside the closed list of
 * understood forms (`forms.ts`, and the scopes below) counts as reading everything.
 */
export function readsOf(policies: readonly Json[]): ReadonlySet<Readable> {
  const reads = new Set<Readable>();
  return policies.every((policy) => readPolicy(policy, reads)) ? reads : EVERYTHING;
}

/** Adds what a policy reads. False if the policy has a part that is not understood. */
function readPolicy(policy: Json, reads: Set<Readable>): boolean {
  if (!isJsonObject(policy)) return false;
  const { effect, principal, action, resource, conditions, annotations = {}, ...others } = policy;
  return (
    Object.keys(others).length === 0 &&
    (effect === 'permit' || effect === 'forbid') &&
    [principal, action, resource].every(isScope) &&
    isJsonObject(annotations) &&
    isList(conditions) &&
    conditions.every((condition) => readCondition(condition, reads))
  );
}

function readCondition(condition: Json, reads: Set<Readable>): boolean {
  if (!isJsonObject(condition) || !hasKeys(condition, 'kind', 'body')) return false;
  const { kind, body } = condition;
  return (kind === 'when' || kind === 'unless') && readExpression(body, reads);
}

/** Whether a scope's constraint looks at ids alone. A template's slot does not. */
function isScope(constraint: Json | undefined): boolean {
  if (!isJsonObject(constraint)) return false;
  const { op, ...rest } = constraint;
  if (op === 'All') return hasKeys(rest);
  if (op === '==') return isOneEntity(rest);
  if (op === 'in') return isOneEntity(rest) || isEntityList(rest);
  if (op !== 'is' || typeof rest['entity_type'] !== 'string') return false;
  const inside = rest['in'];
  if (inside === undefined) return hasKeys(rest, 'entity_type');
  return hasKeys(rest, 'entity_type', 'in') && isJsonObject(inside) && isOneEntity(inside);
}

const isOneEntity = (object: JsonObject): boolean => hasKeys(object, 'entity') && isEntity(object['entity']);

function isEntityList(object: JsonObject): boolean {
  const entities = object['entities'];
  return hasKeys(object, 'entities') && isList(entities) && entities.every(isEntity);
}

/** Adds what an expression reads. False if it holds a form that is not understood. */
function readExpression(node: Json | undefined, reads: Set<Readable>): boolean {
  const form = formOf(node);
  switch (form?.form) {
    case undefined:
      return false;
    case 'literal':
    case 'entity':
      return true;
    case 'variable':
      if (form.name === 'context') for (const part of CONTEXT_ATTRIBUTES) reads.add(part);
      return true;
    case 'attribute':
      return readAttribute(form.left, form.path, reads);
    case 'operation':
      return form.operands.every((operand) => readExpression(operand, reads));
  }
}

/**
 * An attribute of `context` or `principal`, at any depth. An attribute of anything else is not understood: an entity
 * literal, a branch or a record's member may evaluate to the user. Then the user's attributes are read.
 */
function readAttribute(left: Json, path: readonly string[], reads: Set<Readable>): boolean {
  const form = formOf(left);
  if (form?.form === 'attribute') return readAttribute(form.left, [...form.path, ...path], reads);
  if (form?.form !== 'variable') return false;
  if (form.name === 'principal') reads.add('attributes');
  else if (form.name === 'context') for (const part of CONTEXT_ATTRIBUTES) if (part === path[0]) reads.add(part);
  return form.name === 'principal' || form.name === 'context';
}
