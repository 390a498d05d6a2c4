import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Json } from '../../kernel/canonical-json.js';
import { vetSchema } from './schema-vetting.js';
import { describe, test } from '../../../test/support/testing.js';

const parse = (text: string): Json => JSON.parse(text) as Json;
const many = (count: number, make: (index: number) => [string, Json]): Json =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => make(index)));
const nested = (levels: number, wrap: (inner: Json) => Json, core: Json = true): Json => {
  let schema = core;
  for (let level = 0; level < levels; level += 1) schema = wrap(schema);
  return schema;
};

const accepted: Record<string, Json> = {
  true: true,
  false: false,
  nothing: {},
  'draft 07 with lists of items': {
    $schema: 'http://json-schema.org/draft-07/schema#',
    items: [{ type: 'string' }, { type: 'number' }],
    additionalItems: false,
    dependencies: { a: ['b'], c: { required: ['d'] } },
  },
  '2020-12': { $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [true], items: false },
  'references to #, a pointer with escapes, an anchor': {
    $id: 'https://example.com/tool',
    $defs: { 'a/b c': { $anchor: 'here', type: 'string' } },
    properties: { x: { $ref: '#/$defs/a~1b%20c' }, y: { $ref: '#here' }, z: { $ref: '#' } },
  },
  'recursion through items': {
    $ref: '#/definitions/tree',
    definitions: { tree: { properties: { children: { items: { $ref: '#/definitions/tree' } } } } },
  },
  'a reference to a property': { properties: { a: { type: 'string' }, b: { $ref: '#/properties/a' } } },
  'data that looks like a schema': {
    const: { $ref: 'http://evil.example/' },
    enum: [{ pattern: '(a+)+$(?=b)' }],
    default: { $dynamicRef: '#x' },
    examples: [{ $id: 'x' }],
  },
  'keywords of nobody': { nullable: true, 'x-order': 1, id: 'Foo', $async: true },
  '__proto__ and constructor as names': parse(
    '{"properties":{"__proto__":{"type":"string"},"constructor":true},"required":["__proto__"]}',
  ),
  'patterns as servers write them': {
    properties: {
      a: { pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' },
      b: { pattern: '^\\/[^\\/]+\\u0041$' },
      c: { pattern: '^[A-Za-z0-9._-]{1,255}$' },
    },
    patternProperties: { '^x-': true },
  },
  '32 levels': nested(32, (inner) => ({ properties: { a: inner } })),
};

const node = { properties: { a: { $ref: '#/$defs/a' } } };
const refused: Record<string, { schema: Json; path: string }> = {
  'no schema': { schema: 'string', path: '' },
  'a list': { schema: [], path: '' },
  'a remote reference': { schema: { $ref: 'https://evil.example/s.json' }, path: '/$ref' },
  'a relative reference': { schema: { properties: { a: { $ref: 'other#/a' } } }, path: '/properties/a/$ref' },
  'a relative reference that ends like one of ours': {
    schema: { $defs: { a: true }, $ref: 'x/$defs/a' },
    path: '/$ref',
  },
  'a reference by its own $id': { schema: { $id: 'https://a.example/', $ref: 'https://a.example/#' }, path: '/$ref' },
  'an $id below the root': {
    schema: { properties: { a: { $id: 'https://evil.example/' } } },
    path: '/properties/a/$id',
  },
  'a dynamic reference': { schema: { $dynamicRef: '#a' }, path: '/$dynamicRef' },
  'a dynamic anchor': { schema: { $defs: { a: { $dynamicAnchor: 'a' } } }, path: '/$defs/a/$dynamicAnchor' },
  'a recursive reference': { schema: { items: { $recursiveRef: '#' } }, path: '/items/$recursiveRef' },
  'a reference to nothing': { schema: { $ref: '#/$defs/a' }, path: '/$ref' },
  'a reference into data': { schema: { default: { type: 'string' }, $ref: '#/default' }, path: '/$ref' },
  'a reference to what only a prototype has': { schema: { $ref: '#/constructor' }, path: '/$ref' },
  'an anchor that is not there': { schema: { $ref: '#nowhere' }, path: '/$ref' },
  'a broken escape': { schema: { $ref: '#/%zz' }, path: '/$ref' },
  'the same anchor twice': {
    schema: { $defs: { a: { $anchor: 'x' }, b: { $anchor: 'x' } } },
    path: '/$defs/b/$anchor',
  },
  'a reference to itself': { schema: { $ref: '#' }, path: '' },
  'a circle through allOf': {
    schema: { $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { not: { $ref: '#/$defs/a' } } } },
    path: '/$defs/a',
  },
  'another dialect': { schema: { $schema: 'https://example.com/my-dialect' }, path: '/$schema' },
  'draft 03': { schema: { $schema: 'http://json-schema.org/draft-03/schema#' }, path: '/$schema' },
  'an exclusive bound of draft 04 without a bound': { schema: { exclusiveMinimum: true }, path: '/exclusiveMinimum' },
  'an id of draft 04 below the root': {
    schema: {
      $schema: 'http://json-schema.org/draft-04/schema#',
      properties: { a: { id: 'https://example.com/a', $ref: '#/definitions/a' } },
    },
    path: '/properties/a/id',
  },
  'a look-ahead at no fixed place': { schema: { pattern: '^a*(?!a)b' }, path: '' },
  'a back-reference': { schema: { properties: { a: { pattern: '(a)\\1' } } }, path: '/properties/a' },
  'a named back-reference': { schema: { pattern: '(?<x>a)\\k<x>' }, path: '' },
  'a key of patternProperties': { schema: { patternProperties: { '(': true } }, path: '' },
  'a pattern in an unused definition': { schema: { $defs: { a: { pattern: '(' } } }, path: '/$defs/a' },
  'a long pattern': { schema: { pattern: 'a'.repeat(1001) }, path: '' },
  'a pattern that repeats much': { schema: { pattern: '(?:abc{9}){999}' }, path: '' },
  'a repeat hidden behind a class': { schema: { pattern: `(${'a'.repeat(90)}[[:alpha:](]b){1000}` }, path: '' },
  '33 levels': { schema: nested(33, (inner) => ({ items: inner })), path: '/items'.repeat(33) },
  '2,001 subschemas': {
    schema: {
      allOf: [{ properties: many(999, (i) => [`a${i}`, true]) }, { properties: many(999, (i) => [`b${i}`, true]) }],
    },
    path: '/allOf/1/properties/b998',
  },
  '1,001 schemas under one': { schema: { properties: many(1001, (i) => [`p${i}`, true]) }, path: '' },
  'references that double': {
    schema: {
      $ref: '#/$defs/d0',
      $defs: many(21, (i) => [
        `d${i}`,
        i === 20 ? true : { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
      ]),
    },
    path: '',
  },
  'contains with unevaluatedItems': {
    schema: { anyOf: [{ contains: true }], unevaluatedItems: false },
    path: '/anyOf/0/contains',
  },
  'a misspelt type': { schema: { type: 'strng' }, path: '/type' },
  'a list with a misspelt type': { schema: { type: ['string', 'strng'] }, path: '/type' },
  'required as a flag': { schema: { properties: { a: { required: true } } }, path: '/properties/a/required' },
  'properties as a list': { schema: { properties: [] }, path: '/properties' },
  'an empty anyOf': { schema: { anyOf: [] }, path: '/anyOf' },
  'a property that is no schema': { schema: { properties: { a: 'string' } }, path: '/properties/a' },
};

describe('vetSchema', () => {
  for (const [name, schema] of Object.entries(accepted)) {
    test(`accepts ${name}`, () => assert.deepEqual(vetSchema(schema), { ok: true, value: undefined }));
  }
  for (const [name, { schema, path }] of Object.entries(refused)) {
    test(`refuses ${name}`, () => {
      const result = vetSchema(schema);
      assert.ok(!result.ok);
      // Where unrolled references end is an accident of the order of reading.
      if (name !== 'references that double') assert.equal(result.error.path, path);
    });
  }

  test('accepts a recursion that the same value does not repeat', () => {
    assert.ok(vetSchema({ $defs: { a: node }, $ref: '#/$defs/a' }).ok);
  });

  // Each took minutes or the whole heap in a naive reader. The limit is far above what they take, which is tens of ms.
  const hostile: Record<string, Json> = {
    '10,000 properties': { properties: many(10_000, (i) => [`p${i}`, { type: 'string' }]) },
    'nested 100,000 deep': nested(100_000, (inner) => ({ items: inner })),
    'deep data': { const: nested(100_000, (inner) => [inner]) },
    'a long chain': {
      $ref: '#/$defs/d0',
      $defs: many(900, (i) => [`d${i}`, i === 899 ? true : { properties: { a: { $ref: `#/$defs/d${i + 1}` } } }]),
    },
    'every definition refers to every other': {
      $ref: '#/$defs/d0',
      $defs: many(40, (i) => [`d${i}`, { properties: many(40, (j) => [`p${j}`, { $ref: `#/$defs/d${j}` }]) }]),
    },
    'a catastrophic pattern': { pattern: '^(([a-z]+)*)*(a|a)*(b{0,1000}){0,1000}$' },
    '900 large patterns': { properties: many(900, (i) => [`p${i}`, { pattern: `(?i)^x{0,900}${i}$` }]) },
    'Unicode classes': { pattern: `(?i)${'\\p{L}'.repeat(199)}` },
    'a long name over many schemas': {
      properties: { ['n'.repeat(1_000_000)]: { properties: many(900, (i) => [`p${i}`, true]) } },
    },
  };
  for (const [name, schema] of Object.entries(hostile)) {
    test(`refuses in no time: ${name}`, () => {
      const started = performance.now();
      assert.ok(!vetSchema(schema).ok);
      assert.ok(performance.now() - started < 1500);
    });
  }

  test('answers any JSON with a result', () => {
    const keyword = fc.constantFrom(
      'properties',
      'items',
      '$ref',
      'allOf',
      'pattern',
      '$defs',
      'type',
      'required',
      '__proto__',
    );
    const { schema } = fc.letrec<{ schema: unknown; map: unknown; leaf: unknown }>((tie) => ({
      leaf: fc.oneof(fc.jsonValue(), fc.constantFrom('#', '#/$defs/type', 'string', '(a+)+')),
      map: fc.dictionary(keyword, tie('schema'), { maxKeys: 4 }),
      schema: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('map'), fc.array(tie('schema'), { maxLength: 3 })),
    }));
    fc.assert(
      fc.property(schema, (value) => {
        assert.equal(typeof vetSchema(value as Json).ok, 'boolean');
      }),
      { numRuns: 300 },
    );
  });
});
