import { isJsonObject, ownValue, type Json, type JsonObject } from '../../kernel/canonical-json.js';
import type { JsonPointer } from '../../kernel/pointer.js';
import { ASSERTIONS, EXCLUSIVE_BOUNDS, isNameList } from './schema-keywords.js';
import type { SchemaNode } from './schema-references.js';
import type { VettedSchema } from './schema-vetting.js';

/**
 * Our own keywords in a plan. A server's schema cannot contain them, because a plan holds only keywords that it knows.
 */
export const STEP_KEYWORD = 'sallyport:step';
export const UNEVALUATED_KEYWORD = 'sallyport:unevaluated';

type PlanObject = Record<string, unknown>;
type PlanSchema = PlanObject | boolean;

/** The schema that is compiled in place of the server's. */
export interface SchemaPlan {
  readonly schema: PlanSchema;
  /** The place in the server's document of each schema object of the plan. */
  readonly pathOf: WeakMap<object, JsonPointer>;
}

/**
 * Rewrites a vetted schema for the compiler, in draft 2020-12 and only with keywords that we know. The compiler then
 * resolves only references to `#/$defs/d<n>`, and sees none of its special keywords (`$async` would make every value
 * pass; `$id` and anchors would be resolved a second time, perhaps differently). Every schema that applies others
 * becomes a definition, hence a function of its own: generated code nests with the number of schemas in one function
 * and would overflow the stack.
 */
export function planSchema(vetted: VettedSchema): SchemaPlan {
  const definitions: Record<string, PlanSchema> = {};
  const names = new Map<SchemaNode, string>();
  const pathOf = new WeakMap<object, JsonPointer>();
  const waiting: [name: string, node: SchemaNode][] = [];

  function refer(node: SchemaNode): { $ref: string } {
    if (node === vetted.root) return { $ref: '#' };
    let name = names.get(node);
    if (name === undefined) {
      name = `d${names.size}`;
      names.set(node, name);
      waiting.push([name, node]);
    }
    return { $ref: `#/$defs/${name}` };
  }

  const place = (node: SchemaNode): PlanSchema =>
    typeof node.schema === 'boolean' || !node.children.some((child) => child.applies !== 'never')
      ? write(node)
      : refer(node);

  function write(node: SchemaNode): PlanSchema {
    if (typeof node.schema === 'boolean') return node.schema;
    const plan = assertionsOf(node.schema);
    pathOf.set(plan, node.path);
    if (node.target !== undefined) plan['$ref'] = refer(node.target).$ref;
    writeChildren(node, plan, place);
    return plan;
  }

  const root = write(vetted.root);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) definitions[next[0]] = write(next[1]);
  if (typeof root !== 'boolean') root['$defs'] = definitions;
  return { schema: root, pathOf };
}

function assertionsOf(schema: JsonObject): PlanObject {
  const plan: PlanObject = {};
  let names = 0;
  for (const keyword of ASSERTIONS.keys()) {
    const value = ownValue(schema, keyword);
    if (value !== undefined) plan[keyword] = value;
  }
  for (const [keyword, bound] of EXCLUSIVE_BOUNDS) {
    if (typeof plan[keyword] !== 'boolean') continue;
    if (plan[keyword]) plan[keyword] = plan[bound];
    else delete plan[keyword];
  }
  if (isNameList(ownValue(schema, 'required'))) {
    const required = new Set(ownValue(schema, 'required') as readonly string[]);
    plan['required'] = [...required];
    names += required.size;
  }
  const dependent = nameLists(ownValue(schema, 'dependentRequired'), ownValue(schema, 'dependencies'));
  if (Object.keys(dependent).length > 0) plan['dependentRequired'] = dependent;
  for (const list of Object.values(dependent)) names += list.length;
  plan[STEP_KEYWORD] = 1 + names;
  return plan;
}

/** `dependentRequired` of a schema, with the lists of names that draft 07 writes under `dependencies`. */
function nameLists(...sources: readonly (Json | undefined)[]): Record<string, string[]> {
  const merged = nameless<string[]>();
  for (const source of sources) {
    if (!isJsonObject(source)) continue;
    for (const [name, list] of Object.entries(source)) {
      if (isNameList(list)) merged[name] = [...new Set([...(merged[name] ?? []), ...list])];
    }
  }
  return merged;
}

/** A map without prototype: `__proto__` and `constructor` are names like any other. */
const nameless = <Value>(): Record<string, Value> => Object.create(null) as Record<string, Value>;

function writeChildren(node: SchemaNode, plan: PlanObject, place: (node: SchemaNode) => PlanSchema): void {
  const maps: Record<string, Record<string, PlanSchema>> = {};
  const lists: Record<string, PlanSchema[]> = {};
  const mapOf = (keyword: string): Record<string, PlanSchema> => {
    const map = (maps[keyword] ??= nameless<PlanSchema>());
    plan[keyword] = map;
    return map;
  };
  const listOf = (keyword: string): PlanSchema[] => {
    const list = (lists[keyword] ??= []);
    plan[keyword] = list;
    return list;
  };
  for (const { keyword, key, applies, node: child } of node.children) {
    if (applies === 'never') continue;
    const schema = place(child);
    if (typeof key === 'number') listOf(keyword === 'items' ? 'prefixItems' : keyword).push(schema);
    else if (key === undefined) plan[keyword === 'additionalItems' ? 'items' : keyword] = schema;
    else if (key === '__proto__' && keyword === 'properties') both(mapOf('patternProperties'), PROTO_NAME, schema);
    else if (key === '__proto__' && keyword === 'patternProperties') both(mapOf(keyword), PROTO_PATTERN, schema);
    else both(mapOf(keyword === 'dependencies' ? 'dependentSchemas' : keyword), key, schema);
  }
  if (plan['unevaluatedProperties'] !== undefined) plan[UNEVALUATED_KEYWORD] = Object.keys(maps['properties'] ?? {});
}

/** Adds a schema under a name; if there is one already, both apply. */
function both(map: Record<string, PlanSchema>, name: string, schema: PlanSchema): void {
  const earlier = map[name];
  map[name] = earlier === undefined ? schema : { allOf: [earlier, schema] };
}

/** The compiler skips a property or pattern called `__proto__`, so these two replace it. */
export const PROTO_NAME = '^(?:__proto__)$';
export const PROTO_PATTERN = '(?:__proto__)';
