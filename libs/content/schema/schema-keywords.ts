import { isJsonObject, type Json } from '../../kernel/canonical-json.js';

/**
 * The keywords of JSON Schema drafts 04, 06, 07, 2019-09 and 2020-12 that decide whether a value is valid. All other
 * keywords (annotations, `format`, `content*`, `default`, `examples`, OpenAPI's and validators' own) hold data: they
 * are neither walked nor compiled.
 */

/** `in-place`: applied to the same value; `below`: to a member, item or name of it; `never`: only by reference. */
export interface Applicator {
  readonly holds: 'schema' | 'list' | 'map' | 'schema-or-list' | 'map-or-names';
  readonly applies: 'in-place' | 'below' | 'never';
}

export const APPLICATORS: ReadonlyMap<string, Applicator> = new Map<string, Applicator>([
  ['$defs', { holds: 'map', applies: 'never' }],
  ['definitions', { holds: 'map', applies: 'never' }],
  ['allOf', { holds: 'list', applies: 'in-place' }],
  ['anyOf', { holds: 'list', applies: 'in-place' }],
  ['oneOf', { holds: 'list', applies: 'in-place' }],
  ['not', { holds: 'schema', applies: 'in-place' }],
  ['if', { holds: 'schema', applies: 'in-place' }],
  ['then', { holds: 'schema', applies: 'in-place' }],
  ['else', { holds: 'schema', applies: 'in-place' }],
  ['dependentSchemas', { holds: 'map', applies: 'in-place' }],
  ['dependencies', { holds: 'map-or-names', applies: 'in-place' }],
  ['properties', { holds: 'map', applies: 'below' }],
  ['patternProperties', { holds: 'map', applies: 'below' }],
  ['additionalProperties', { holds: 'schema', applies: 'below' }],
  ['unevaluatedProperties', { holds: 'schema', applies: 'below' }],
  ['propertyNames', { holds: 'schema', applies: 'below' }],
  ['items', { holds: 'schema-or-list', applies: 'below' }],
  ['prefixItems', { holds: 'list', applies: 'below' }],
  ['additionalItems', { holds: 'schema', applies: 'below' }],
  ['unevaluatedItems', { holds: 'schema', applies: 'below' }],
  ['contains', { holds: 'schema', applies: 'below' }],
]);

const TYPES = new Set<Json>(['null', 'boolean', 'object', 'array', 'number', 'integer', 'string']);
/** Longer lists of names have no honest use. */
const MAX_NAMES = 1000;

export const isNameList = (value: Json | undefined): value is readonly string[] =>
  Array.isArray(value) && value.length <= MAX_NAMES && value.every((name) => typeof name === 'string');
const isCount = (value: Json): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isNumber = (value: Json): boolean => typeof value === 'number' && Number.isFinite(value);

/** Draft 04 makes `minimum` exclusive by a boolean; later drafts write the bound itself. */
const isNumberOrBoolean = (value: Json): boolean => typeof value === 'boolean' || isNumber(value);

/** The bound that a boolean of draft 04 makes exclusive. */
export const EXCLUSIVE_BOUNDS: ReadonlyMap<string, string> = new Map([
  ['exclusiveMinimum', 'minimum'],
  ['exclusiveMaximum', 'maximum'],
]);

/** Keywords that test a value by themselves, and the required shape of their own value. */
export const ASSERTIONS: ReadonlyMap<string, (value: Json) => boolean> = new Map<string, (value: Json) => boolean>([
  ['type', (value) => TYPES.has(value) || (Array.isArray(value) && isTypeList(value))],
  ['enum', (value) => Array.isArray(value)],
  ['const', () => true],
  ['multipleOf', (value) => isNumber(value) && (value as number) > 0],
  ['maximum', isNumber],
  ['exclusiveMaximum', isNumberOrBoolean],
  ['minimum', isNumber],
  ['exclusiveMinimum', isNumberOrBoolean],
  ['maxLength', isCount],
  ['minLength', isCount],
  ['pattern', (value) => typeof value === 'string'],
  ['maxItems', isCount],
  ['minItems', isCount],
  ['uniqueItems', (value) => typeof value === 'boolean'],
  ['maxContains', isCount],
  ['minContains', isCount],
  ['maxProperties', isCount],
  ['minProperties', isCount],
  ['required', isNameList],
  ['dependentRequired', (value) => isJsonObject(value) && Object.values(value).every(isNameList)],
]);

function isTypeList(value: readonly Json[]): boolean {
  return value.length > 0 && value.length <= TYPES.size && value.every((type) => TYPES.has(type));
}

/** The schema that these refer to depends on the path of evaluation, so reading cannot find it. */
export const DYNAMIC_KEYWORDS: readonly string[] = [
  '$dynamicRef',
  '$dynamicAnchor',
  '$recursiveRef',
  '$recursiveAnchor',
];

/** The dialects in which the keywords above have these meanings. In another dialect they could mean something else. */
const DRAFT_04 = 'json-schema.org/draft-04/schema';
const DIALECTS = new Set([
  DRAFT_04,
  'json-schema.org/draft-06/schema',
  'json-schema.org/draft-07/schema',
  'json-schema.org/draft/2019-09/schema',
  'json-schema.org/draft/2020-12/schema',
]);

const dialectOf = (uri: Json | undefined): string =>
  typeof uri === 'string' ? uri.replace(/^https?:\/\//, '').replace(/#$/, '') : '';

export const isKnownDialect = (uri: Json): boolean => DIALECTS.has(dialectOf(uri));
/** The dialect that writes `id` for `$id`. */
export const isDraft04 = (uri: Json | undefined): boolean => dialectOf(uri) === DRAFT_04;
