import { canonicalJson, isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { textOf, type Definition } from './definition.js';

/** Members of a JSON Schema (2020-12, OpenAPI) that hold data: a null in them says something. */
const DATA = new Set(['const', 'default', 'enum', 'examples', 'example']);
/** Members of a JSON Schema that hold schemas by names of others: an entry there says something, even if it is null. */
const NAMED = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies']);
/** Members of an item that are JSON Schemas (MCP, Tool). */
const SCHEMAS = new Set(['inputSchema', 'outputSchema']);

/** The kind of an object: an item of a list or a part of it, a JSON Schema, schemas by name, or data. */
type Kind = 'item' | 'schema' | 'named' | 'data';

/**
 * Whether two definitions are equal, if a member that is null counts as absent. Many libraries write an absent member as
 * null. A null that is data counts: in `const`, `default`, `enum` and examples of a schema, in `_meta`, as a property
 * and as an element of a list. Compares what the definition digest covers. Attacker-controlled: each value is looked at
 * once, and depth is bounded by the parser's limit.
 */
export function equalButForNulls(before: Definition, after: Definition): boolean {
  return (
    before.instructions === after.instructions &&
    sameItems(before.tools, after.tools, 'name') &&
    sameItems(before.prompts, after.prompts, 'name') &&
    sameItems(before.resourceTemplates, after.resourceTemplates, 'uriTemplate') &&
    sameItems(before.files, after.files, 'path')
  );
}

function sameItems(before: readonly JsonObject[] = [], after: readonly JsonObject[] = [], key: string): boolean {
  if (before.length !== after.length) return false;
  const byKey = new Map(before.map((item) => [textOf(item, key), item]));
  return after.every((item) => same(byKey.get(textOf(item, key)), item, 'item'));
}

function same(before: Json | undefined, after: Json | undefined, kind: Kind): boolean {
  if (before === after) return true;
  if (before === undefined || after === undefined) return false;
  if (kind === 'data') return canonicalJson(before) === canonicalJson(after);
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.length === after.length && before.every((each: Json, index) => same(each, after[index], kind));
  }
  if (!isJsonObject(before) || !isJsonObject(after)) return false;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].every((key) => {
    const inner = kindOf(kind, key);
    const [old, now] = [ownValue(before, key), ownValue(after, key)];
    const countsNulls = kind === 'named' || (kind === 'schema' && inner === 'data');
    return countsNulls ? same(old, now, inner) : same(old ?? undefined, now ?? undefined, inner);
  });
}

function kindOf(kind: Kind, key: string): Kind {
  if (kind === 'item') return key === '_meta' ? 'data' : SCHEMAS.has(key) ? 'schema' : 'item';
  if (kind === 'named') return 'schema';
  return DATA.has(key) ? 'data' : NAMED.has(key) ? 'named' : 'schema';
}
