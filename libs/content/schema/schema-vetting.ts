import { isJsonObject, ownValue, type Json, type JsonObject } from '../../kernel/canonical-json.js';
import { defined } from '../../kernel/defined.js';
import { pointerTo, type JsonPointer } from '../../kernel/pointer.js';
import { err, ok, type Result } from '../../kernel/result.js';
import { depthOf } from '../../kernel/strict-json.js';
import { boundedPointer } from '../bounded-pointer.js';
import { readPattern, type Pattern } from './pattern.js';
import { APPLICATORS, ASSERTIONS, DYNAMIC_KEYWORDS, EXCLUSIVE_BOUNDS } from './schema-keywords.js';
import { isDraft04, isKnownDialect, isNameList } from './schema-keywords.js';
import type { Applicator } from './schema-keywords.js';
import { circleFault, expansionFault, linkReferences, type SchemaFault, type SchemaNode } from './schema-references.js';

/** A schema that was read whole and found harmless. */
export interface VettedSchema {
  readonly root: SchemaNode;
  readonly patterns: ReadonlyMap<string, Pattern>;
}

const MAX_JSON_DEPTH = 128;
const MAX_DEPTH = 32;
const MAX_SUBSCHEMAS = 2000;
const MAX_CHILDREN = 1000;
const MAX_PATH_LENGTH = 4096;
/** Instructions of all patterns together; compiling them takes some 4 µs each. */
const MAX_PATTERNS_SIZE = 20_000;
/** The cost of a pattern in addition to its instructions. */
const PATTERN_BASE_SIZE = 20;

/**
 * Vets a JSON Schema (drafts 04 to 2020-12, read alike) that a server declared: hostile input. Time is linear in the
 * document up to the bounds below. Accepted only with
 * - references within the document, to a place that holds a schema: `#`, `#/…` and `#anchor`. `$id` is allowed at the
 *   root, where it is a mere name; anywhere else it would change what `#/…` means, so it is refused, as is every
 *   reference that has to be resolved against it. Dynamic references are refused;
 * - at most 32 levels, 2,000 subschemas, 1,000 of them under one schema, and 10,000 with references unrolled to
 *   128 levels (a recursion is cut where it returns to itself). A circle of references that consumes no part of the
 *   value would never end and is refused; recursion through properties or items ends with the value;
 * - patterns that RE2 compiles, of bounded length and repetition;
 * - keywords whose values have the shape that the drafts demand, so that nothing is ignored for being misspelt.
 */
export function vetSchema(schema: Json): Result<void, SchemaFault> {
  const read = readSchema(schema);
  return read.ok ? ok(undefined) : read;
}

/** Why a schema cannot be vetted, in plain words with its place, at most 400 characters; undefined if it can. */
export function whyUnvettable(schema: Json): string | undefined {
  const vetted = vetSchema(schema);
  return vetted.ok ? undefined : `${boundedPointer(vetted.error.path) || '/'}: ${vetted.error.message}`.toWellFormed();
}

/** Like `vetSchema`, and returns the schema that it read, for the compiler. */
export function readSchema(document: Json): Result<VettedSchema, SchemaFault> {
  if (depthOf(document, MAX_JSON_DEPTH) > MAX_JSON_DEPTH) return err({ path: '', message: 'nested too deep' });
  const nodes = new Map<JsonPointer, SchemaNode>();
  const anchors = new Map<string, SchemaNode>();
  const patterns = new Map<string, Pattern>();
  const draft04 = isJsonObject(document) && isDraft04(ownValue(document, '$schema'));
  let patternsSize = 0;

  function read(schema: Json, path: JsonPointer, depth: number): Result<SchemaNode, SchemaFault> {
    // Paths repeat the names above them: a long name over many schemas would be quadratic.
    if (path.length > MAX_PATH_LENGTH) return err({ path: '', message: 'names that are too long' });
    if (typeof schema !== 'boolean' && !isJsonObject(schema)) return err({ path, message: 'is no schema' });
    if (depth > MAX_DEPTH) return err({ path, message: `more than ${MAX_DEPTH} levels of schemas` });
    if (nodes.size >= MAX_SUBSCHEMAS) return err({ path, message: `more than ${MAX_SUBSCHEMAS} subschemas` });
    const node: SchemaNode = { path, schema, children: [] };
    nodes.set(path, node);
    if (typeof schema === 'boolean') return ok(node);
    const fault =
      identityFault(schema, path, anchors, node, draft04) ?? assertionFault(schema, path) ?? addPattern(schema, path);
    if (fault !== undefined) return err(fault);
    for (const [keyword, applicator] of APPLICATORS) {
      const value = ownValue(schema, keyword);
      if (value === undefined) continue;
      const held = schemasUnder(keyword, applicator.holds, value);
      if (held === undefined) return err({ path: path + pointerTo(keyword), message: 'does not hold schemas' });
      if (node.children.length + held.length > MAX_CHILDREN) {
        return err({ path, message: `more than ${MAX_CHILDREN} schemas under one` });
      }
      for (const [key, member] of held) {
        const place = path + (key === undefined ? pointerTo(keyword) : pointerTo(keyword, key));
        const child = read(member, place, depth + 1);
        if (!child.ok) return child;
        const unused = keyword === 'additionalItems' && !Array.isArray(ownValue(schema, 'items'));
        const applies = unused ? 'never' : applicator.applies;
        node.children.push(defined({ keyword, key, applies, node: child.value }));
      }
    }
    return ok(node);
  }

  function addPattern(schema: JsonObject, path: JsonPointer): SchemaFault | undefined {
    const own = ownValue(schema, 'pattern');
    const keyed = ownValue(schema, 'patternProperties');
    const sources = typeof own === 'string' ? [own] : [];
    if (isJsonObject(keyed)) sources.push(...Object.keys(keyed));
    for (const source of sources) {
      if (patterns.has(source)) continue;
      const read = readPattern(source);
      if (!read.ok) return { path, message: read.error };
      patternsSize += PATTERN_BASE_SIZE + read.value.size;
      if (patternsSize > MAX_PATTERNS_SIZE) return { path, message: 'patterns that are too long or repeat too much' };
      const pattern = read.value.compile();
      if (!pattern.ok) return { path, message: pattern.error };
      patterns.set(source, pattern.value);
    }
    return undefined;
  }

  const root = read(document, '', 0);
  if (!root.ok) return root;
  const fault =
    misreadFault(nodes) ?? linkReferences(nodes, anchors) ?? circleFault(nodes.values()) ?? expansionFault(root.value);
  return fault === undefined ? ok({ root: root.value, patterns }) : err(fault);
}

/** `$schema`, `$id`, anchors and dynamic references: everything that could change the target of a reference. */
function identityFault(
  schema: JsonObject,
  path: JsonPointer,
  anchors: Map<string, SchemaNode>,
  node: SchemaNode,
  draft04: boolean,
): SchemaFault | undefined {
  for (const keyword of DYNAMIC_KEYWORDS) {
    if (Object.hasOwn(schema, keyword)) return { path: path + pointerTo(keyword), message: 'dynamic references' };
  }
  const dialect = ownValue(schema, '$schema');
  if (dialect !== undefined && !isKnownDialect(dialect)) {
    return { path: `${path}/$schema`, message: 'a dialect that is not known' };
  }
  for (const keyword of draft04 ? ['$id', 'id'] : ['$id']) {
    const id = ownValue(schema, keyword);
    if (id !== undefined && (path !== '' || typeof id !== 'string')) {
      return { path: path + pointerTo(keyword), message: `${keyword} changes what references mean` };
    }
  }
  const anchor = ownValue(schema, '$anchor');
  if (anchor === undefined) return undefined;
  if (typeof anchor !== 'string' || !/^[A-Za-z_][-A-Za-z0-9._]{0,99}$/.test(anchor) || anchors.has(anchor)) {
    return { path: `${path}/$anchor`, message: 'is no anchor, or the same anchor twice' };
  }
  anchors.set(anchor, node);
  return undefined;
}

function assertionFault(schema: JsonObject, path: JsonPointer): SchemaFault | undefined {
  for (const [keyword, accepts] of ASSERTIONS) {
    const value = ownValue(schema, keyword);
    if (value !== undefined && !accepts(value)) {
      return { path: path + pointerTo(keyword), message: 'is no value for this keyword' };
    }
  }
  for (const [keyword, bound] of EXCLUSIVE_BOUNDS) {
    if (ownValue(schema, keyword) === true && ownValue(schema, bound) === undefined) {
      return { path: path + pointerTo(keyword), message: `needs ${bound}` };
    }
  }
  if (Array.isArray(ownValue(schema, 'items')) && Object.hasOwn(schema, 'prefixItems')) {
    return { path: `${path}/items`, message: 'a list of items together with prefixItems' };
  }
  return undefined;
}

/** With `contains`, the compiler treats every item as evaluated, so bad values would pass. */
function misreadFault(nodes: ReadonlyMap<JsonPointer, SchemaNode>): SchemaFault | undefined {
  const using = (keyword: string): SchemaNode | undefined =>
    nodes.values().find(({ schema }) => typeof schema !== 'boolean' && Object.hasOwn(schema, keyword));
  const contains = using('contains');
  if (contains === undefined || using('unevaluatedItems') === undefined) return undefined;
  return { path: `${contains.path}/contains`, message: 'contains in one document with unevaluatedItems' };
}

type Held = readonly (readonly [key: string | number | undefined, schema: Json])[];

/** The schemas in a keyword's value; undefined if it holds something else. */
function schemasUnder(keyword: string, holds: Applicator['holds'], value: Json): Held | undefined {
  if (holds === 'schema' || (holds === 'schema-or-list' && !Array.isArray(value))) return [[undefined, value]];
  if (holds === 'list' || holds === 'schema-or-list') {
    if (!Array.isArray(value)) return undefined;
    return value.length > 0 || keyword === 'items' ? [...value.entries()] : undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const entries = Object.entries(value);
  return holds === 'map' ? entries : entries.filter(([, member]) => !isNameList(member));
}
