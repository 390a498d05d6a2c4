import { isJsonObject, type Json, type JsonObject } from '../kernel/canonical-json.js';

/**
 * An expression of a policy in Cedar's JSON policy format, in the forms that this service understands. The list is
 * closed: `formOf` answers undefined for every other node, and a reader must then assume the worst of it.
 */
export type Form =
  | { readonly form: 'literal' }
  | { readonly form: 'entity'; readonly type: string; readonly id: string }
  | { readonly form: 'variable'; readonly name: Variable }
  /** `.` and `has`: `path` has one name, except for `left has a.b.c`. */
  | { readonly form: 'attribute'; readonly left: Json; readonly path: readonly string[] }
  /** An operator whose answer depends on its operands alone. */
  | { readonly form: 'operation'; readonly operands: readonly Json[] };

type Variable = 'principal' | 'action' | 'resource' | 'context';

const VARIABLES: ReadonlySet<string> = new Set(['principal', 'action', 'resource', 'context']);
const UNARY: ReadonlySet<string> = new Set(['!', 'neg', 'isEmpty']);
const BINARY: ReadonlySet<string> = new Set([
  '==',
  '!=',
  'in',
  '<',
  '<=',
  '>',
  '>=',
  '&&',
  '||',
  '+',
  '-',
  '*',
  'contains',
  'containsAll',
  'containsAny',
]);

/** The form of an expression; undefined if it is not exactly one of the forms above. */
export function formOf(node: Json | undefined): Form | undefined {
  if (!isJsonObject(node)) return undefined;
  const [entry, ...others] = Object.entries(node);
  if (entry === undefined || others.length > 0) return undefined;
  const [operator, operand] = entry;
  if (operator === 'Value') return literalOf(operand);
  if (operator === 'Var') return isVariable(operand) ? { form: 'variable', name: operand } : undefined;
  if (operator === 'Set') return isList(operand) ? operation(operand) : undefined;
  if (!isJsonObject(operand)) return undefined;
  if (operator === 'Record') return operation(Object.values(operand));
  if (operator === '.' || operator === 'has') return attributeOf(operator, operand);
  if (operator === 'like') {
    const { left = null, pattern } = operand;
    return hasKeys(operand, 'left', 'pattern') && isPattern(pattern) ? operation([left]) : undefined;
  }
  if (operator === 'is') {
    const { left = null, entity_type: type } = operand;
    return hasKeys(operand, 'left', 'entity_type') && typeof type === 'string' ? operation([left]) : undefined;
  }
  const operands = operandsOf(operator);
  return operands !== undefined && hasKeys(operand, ...operands)
    ? operation(operands.map((name) => operand[name] ?? null))
    : undefined;
}

/** The names of an operator's operands, each of which is an expression. */
function operandsOf(operator: string): readonly string[] | undefined {
  if (UNARY.has(operator)) return ['arg'];
  if (BINARY.has(operator)) return ['left', 'right'];
  return operator === 'if-then-else' ? ['if', 'then', 'else'] : undefined;
}

function literalOf(value: Json): Form | undefined {
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return { form: 'literal' };
  if (!isJsonObject(value) || !hasKeys(value, '__entity')) return undefined;
  const entity = value['__entity'];
  if (!isEntity(entity)) return undefined;
  return { form: 'entity', type: entity.type, id: entity.id };
}

function attributeOf(operator: '.' | 'has', operand: JsonObject): Form | undefined {
  const { left = null, attr } = operand;
  if (!hasKeys(operand, 'left', 'attr')) return undefined;
  if (typeof attr === 'string') return { form: 'attribute', left, path: [attr] };
  const isPath = operator === 'has' && isList(attr) && attr.length > 0;
  return isPath && attr.every((name) => typeof name === 'string') ? { form: 'attribute', left, path: attr } : undefined;
}

const operation = (operands: readonly Json[]): Form => ({ form: 'operation', operands });
const isVariable = (value: Json): value is Variable => typeof value === 'string' && VARIABLES.has(value);
export const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

/** Whether an object has exactly these members. */
export function hasKeys(object: JsonObject, ...keys: readonly string[]): boolean {
  return Object.keys(object).length === keys.length && keys.every((key) => Object.hasOwn(object, key));
}

/** Whether a value names an entity, and nothing else. */
export function isEntity(value: Json | undefined): value is { readonly type: string; readonly id: string } {
  return (
    isJsonObject(value) &&
    hasKeys(value, 'type', 'id') &&
    typeof value['type'] === 'string' &&
    typeof value['id'] === 'string'
  );
}

function isPattern(pattern: Json | undefined): boolean {
  return (
    isList(pattern) &&
    pattern.every(
      (part) =>
        part === 'Wildcard' || (isJsonObject(part) && hasKeys(part, 'Literal') && typeof part['Literal'] === 'string'),
    )
  );
}
