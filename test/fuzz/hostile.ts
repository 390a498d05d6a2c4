import * as fc from 'fast-check';
import type { Answered } from '../support/service.js';
import { proposal } from '../support/world.js';

/** Definitions of hostile servers and owners. */

const parse = (text: string): Answered => JSON.parse(text);
const many = (count: number, make: (index: number) => [string, Answered]): Answered =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => make(index)));
const nested = (levels: number, wrap: (inner: Answered) => Answered): Answered => {
  let schema: Answered = { type: 'string' };
  for (let level = 0; level < levels; level += 1) schema = wrap(schema);
  return schema;
};

/** Patterns that no engine could promise to end with in time, or that cost too much to compile: all are refused. */
export const REFUSED_PATTERNS: readonly string[] = [
  '^(a+)+$(?=b)',
  '(?<=a+)b',
  '(a*)*\\1$',
  '(?<n>a+)+\\k<n>',
  '((a{100}){100}){100}',
  '^(?:a{0,1000}){0,1000}$',
  '('.repeat(5000) + 'a' + ')*'.repeat(5000),
  '(?:'.repeat(300) + 'a' + ')+'.repeat(300),
  'a'.repeat(100_000),
  '[a-z]{1000}'.repeat(50),
];

/** Patterns that hang a backtracking engine, and are linear in the one that is used: taken, and tried with the worst. */
export const LINEAR_PATTERNS: readonly string[] = [
  '^(a+)+$',
  '^(a?){1000}a{1000}$',
  '^(a|a)*$',
  '^(a|aa)+$',
  '^(.*a){20}$',
  '^([a-zA-Z]+)*$',
  '^(([a-z])+.)+[A-Z]([a-z])+$',
  '(x+x+)+y',
  '^(\\s*)*$',
];

const properties = (count: number): Answered => many(count, (index) => [`p${index}`, true]);

/** As large as a schema may be. */
export const LARGEST_SCHEMAS: Readonly<Record<string, Answered>> = {
  'as many properties as there may be': { properties: properties(1000) },
  'as many schemas as there may be': { allOf: [{ properties: properties(998) }, { properties: properties(999) }] },
  'as many levels as there may be': nested(32, (inner) => ({ items: inner })),
};

export const REFUSED_SCHEMAS: Readonly<Record<string, Answered>> = {
  'levels past the bound': nested(40, (inner) => ({ properties: { a: inner } })),
  'deeper than JSON may be': nested(80, (inner) => ({ not: inner })),
  'a reference to itself': { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } },
  'a circle of references': {
    $ref: '#/$defs/a',
    $defs: { a: { $ref: '#/$defs/b' }, b: { allOf: [{ $ref: '#/$defs/a' }] } },
  },
  'references that double at each step': {
    $ref: '#/$defs/d0',
    $defs: many(24, (step) => [
      `d${step}`,
      step === 23 ? true : { allOf: [{ $ref: `#/$defs/d${step + 1}` }, { $ref: `#/$defs/d${step + 1}` }] },
    ]),
  },
  'a reference elsewhere': { $ref: 'http://127.0.0.1:9/schema' },
  'a reference to a file': { $ref: 'file:///etc/passwd' },
  'a dynamic reference': { $dynamicRef: '#x' },
  'a reference to a prototype': { $ref: '#/__proto__' },
  // Each is past one bound and no other: 32 levels, 1,000 schemas under one, 2,000 in all.
  'one level too many': nested(33, (inner) => ({ items: inner })),
  'one property too many': { properties: properties(1001) },
  'one schema too many': { allOf: [{ properties: properties(999) }, { properties: properties(999) }] },
  'ten thousand properties': { properties: many(10_000, (index) => [`p${index}`, { type: 'string' }]) },
  'ten thousand alternatives': { anyOf: Array.from({ length: 10_000 }, () => ({ type: 'string' })) },
  'ten thousand patterns': { patternProperties: many(10_000, (index) => [`^p${index}`, true]) },
  'an unknown dialect': { $schema: 'http://127.0.0.1:9/dialect', type: 'object' },
  'a type of nothing': { type: 'function' },
  'a number for a schema': { properties: { a: 1 } },
};

export const HOSTILE_DEFINITIONS: Readonly<Record<string, Answered>> = {
  'a tool twice': { tools: [tool({}), tool({})] },
  'a tool without a name': { tools: [{ inputSchema: {} }] },
  'a tool with the name of a prototype': { tools: [{ name: '__proto__', inputSchema: {} }] },
  'names that are prefixes': { tools: [{ ...tool({}), name: '$connect' }] },
  'more tools than there may be': {
    tools: Array.from({ length: 2001 }, (_, index) => ({ ...tool({}), name: `${index}` })),
  },
  'a name without end': { tools: [{ ...tool({}), name: 'n'.repeat(100_000) }] },
  'a server that is a prototype': parse('{"tools":[],"serverInfo":{"__proto__":{"name":"x"},"constructor":1}}'),
  'an array for an object': { tools: [[]], prompts: {} },
  'a file outside': { files: [{ path: '../../x', digest: 'sha256:0', size: -1 }] },
};

function tool(inputSchema: Answered): Answered {
  return { name: 'recall', inputSchema };
}

/** A version whose one tool has this input schema. */
export const versionWith = (inputSchema: Answered, version = '1.0.0'): Answered =>
  versionOf({ tools: [tool(inputSchema)] }, version);

export const versionOf = (definition: Answered, version = '1.0.0'): Answered => {
  const base = proposal(version);
  return { ...base, definition, manifest: { ...base.manifest, operations: { recall: { effects: ['read'] } } } };
};

const NAMES = fc.constantFrom('a', 'key', '__proto__', 'constructor', 'toString', '', 'a/b~c', '\u0000');
const PATTERNS = fc.constantFrom('^a', '^(a+)+$', '(?=a)', '[', '\\d{1,500}', '^\\p{L}+$', '');
const REFERENCES = fc.constantFrom('#', '#/$defs/a', '#/properties/a', '#/$defs/__proto__', '#x', 'http://x/', '#/%61');
const ODD = fc.oneof(
  fc.constantFrom<Answered>(0, -1, 5e-324, 1e308, null, [], {}, true, 'x'),
  fc.jsonValue({ maxDepth: 1 }),
);

/** Schemas out of all keywords, some with values that they may not have. */
export const schemas: fc.Arbitrary<Answered> = fc.letrec<{ schema: Answered }>((tie) => {
  const schema = tie('schema');
  const named = fc.dictionary(NAMES, schema, { maxKeys: 3 });
  const list = fc.array(schema, { maxLength: 3 });
  const keyword: fc.Arbitrary<[string, Answered]> = fc.oneof(
    fc.tuple(fc.constantFrom('properties', 'patternProperties', '$defs', 'dependentSchemas'), named),
    fc.tuple(fc.constantFrom('allOf', 'anyOf', 'oneOf', 'prefixItems'), list),
    fc.tuple(fc.constantFrom('not', 'if', 'then', 'else', 'items', 'contains', 'additionalProperties'), schema),
    fc.tuple(fc.constantFrom('propertyNames', 'unevaluatedProperties', 'unevaluatedItems', 'contentSchema'), schema),
    fc.tuple(fc.constant('$ref'), REFERENCES),
    fc.tuple(fc.constant('pattern'), PATTERNS),
    fc.tuple(
      fc.constant('type'),
      fc.constantFrom('object', 'string', 'array', 'null', 'number', ['object', 'null'], 'x'),
    ),
    fc.tuple(fc.constant('required'), fc.array(NAMES, { maxLength: 3 })),
    fc.tuple(fc.constantFrom('const', 'default', 'format', 'multipleOf', 'minLength', 'maxItems', 'enum', '$id'), ODD),
    fc.tuple(
      fc.constantFrom('uniqueItems', 'minContains', '$anchor', '$schema', 'nullable', '$async', 'discriminator'),
      ODD,
    ),
  );
  return {
    schema: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc.boolean(),
      fc.array(keyword, { maxLength: 4 }).map((entries) => Object.fromEntries(entries) as Answered),
    ),
  };
}).schema;
