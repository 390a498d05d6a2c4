import assert from 'node:assert/strict';
import type { Json } from '../../kernel/canonical-json.js';
import { digestOf } from '../../kernel/digest.js';
import { createSchemaValidator, type SchemaError } from './schema-validator.js';
import { tellingErrors } from './telling-errors.js';
import { describe, test } from '../../../test/support/testing.js';

const parse = (text: string): Json => JSON.parse(text) as Json;

/** The first error of a value under a schema; undefined where it passes. */
function firstError(schema: Json, value: Json): SchemaError | undefined {
  const result = createSchemaValidator({ maxCompiled: 2 }).validate(digestOf(schema), () => schema, value);
  return result.ok ? undefined : result.error[0];
}
const passes = (schema: Json, value: Json): boolean => firstError(schema, value) === undefined;

const cases: { name: string; schema: Json; good: Json[]; bad: Json[] }[] = [
  { name: 'boolean schemas', schema: { properties: { a: false, b: true } }, good: [{ b: 1 }], bad: [{ a: 1 }] },
  { name: 'true', schema: true, good: [1], bad: [] },
  { name: 'false', schema: false, good: [], bad: [1] },
  {
    name: 'two patterns in one schema, each its own',
    schema: { properties: { a: { pattern: '^a$' }, b: { pattern: '^b$' } } },
    good: [{ a: 'a', b: 'b' }],
    bad: [{ b: 'a' }, { a: 'b' }],
  },
  {
    name: 'patternProperties, each pattern its own',
    schema: { patternProperties: { '^a': { type: 'string' }, '^b': { type: 'number' } }, additionalProperties: false },
    good: [{ a1: 'x', b1: 1 }],
    bad: [{ a1: 1 }, { b1: 'x' }, { c: 1 }],
  },
  {
    name: 'lists of items in draft 07',
    schema: { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }], additionalItems: false },
    good: [['a'], []],
    bad: [[1], ['a', 'b']],
  },
  {
    name: 'dependencies in draft 07, beside dependentSchemas of the same name',
    schema: {
      dependencies: { a: ['b'], c: { required: ['d'] } },
      dependentSchemas: { c: { required: ['e'] } },
    },
    good: [
      { a: 1, b: 1 },
      { c: 1, d: 1, e: 1 },
    ],
    bad: [{ a: 1 }, { c: 1, d: 1 }, { c: 1, e: 1 }],
  },
  {
    name: 'references by pointer with escapes, by anchor, and to the root',
    schema: {
      $defs: { 'a/b%': { $anchor: 'text', type: 'string' } },
      properties: { a: { $ref: '#/$defs/a~1b%25' }, b: { $ref: '#text' }, child: { $ref: '#' } },
      additionalProperties: false,
    },
    good: [{ a: 'x', b: 'y', child: { a: 'z' } }],
    bad: [{ a: 1 }, { b: 1 }, { child: { child: { a: 1 } } }],
  },
  {
    name: 'what stands beside $ref',
    schema: { $defs: { t: { type: 'string' } }, $ref: '#/$defs/t', minLength: 2 },
    good: ['ab'],
    bad: ['a', 1],
  },
  {
    name: 'a property called __proto__',
    schema: parse('{"properties":{"__proto__":{"type":"string"}},"additionalProperties":false}'),
    good: [parse('{"__proto__":"x"}'), {}],
    bad: [parse('{"__proto__":1}'), { a: 1 }],
  },
  {
    name: 'a pattern that is __proto__',
    schema: parse('{"patternProperties":{"__proto__":{"type":"string"}}}'),
    good: [parse('{"a__proto__":"x"}')],
    bad: [parse('{"a__proto__":1}')],
  },
  {
    name: '__proto__ and constructor required and depended upon',
    schema: parse('{"required":["__proto__"],"dependentRequired":{"__proto__":["constructor"]}}'),
    good: [parse('{"__proto__":1,"constructor":2}')],
    bad: [{}, parse('{"__proto__":1}'), { constructor: 1 }],
  },
  {
    name: 'names with quotes, line breaks and code in them',
    schema: parse(
      '{"properties":{"a\\"];throw 1;//":{"type":"string"},"b\\n\\u2028\'`${1}":{"type":"string"}},"required":["\\\\\\""],"additionalProperties":false,"minProperties":1}',
    ),
    good: [],
    bad: [{}, parse('{"a\\"];throw 1;//":1}'), parse('{"b\\n\\u2028\'`${1}":1}')],
  },
  {
    name: 'inherited names are no members',
    schema: { additionalProperties: false, properties: { toString: { type: 'string' } } },
    good: [{}, parse('{"toString":"x"}')],
    bad: [parse('{"toString":1}'), parse('{"constructor":1}'), parse('{"__proto__":1}')],
  },
  {
    name: 'unevaluatedProperties and names that every object inherits',
    schema: {
      anyOf: [{ properties: { a: { type: 'string' } }, required: ['a'] }, { properties: { b: true } }],
      properties: { valueOf: true },
      unevaluatedProperties: false,
    },
    good: [{ a: 'x' }, { b: 1 }, parse('{"b":1,"valueOf":1}')],
    bad: [{ a: 'x', z: 1 }, parse('{"a":"x","constructor":1}'), parse('{"a":"x","__proto__":1}')],
  },
  {
    name: 'enum and const by value, members called constructor and valueOf too',
    schema: { enum: [{ constructor: { a: 1 } }, { valueOf: 1 }, 'x', 1.0, null] },
    good: [{ constructor: { a: 1 } }, { valueOf: 1 }, 'x', 1, null],
    bad: [{ constructor: { a: 2 } }, {}, 'y', '1', false],
  },
  {
    name: 'const',
    schema: { const: { a: [1, { b: 2 }], c: 3 } },
    good: [{ c: 3, a: [1, { b: 2 }] }],
    bad: [{}, { a: [] }],
  },
  {
    name: 'uniqueItems',
    schema: { uniqueItems: true },
    good: [[1, '1', [1]]],
    bad: [
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
    ],
  },
  {
    name: 'if, then, else',
    schema: parse('{"if":{"type":"string"},"then":{"minLength":2},"else":{"minimum":2}}'),
    good: ['ab', 2],
    bad: ['a', 1],
  },
  {
    name: 'keywords that only the compiler knows',
    schema: { $async: true, nullable: true, type: 'string', id: 'x' },
    good: ['a'],
    bad: [1, null],
  },
  {
    name: 'a dialect that the compiler does not have',
    schema: { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' },
    good: [{}],
    bad: [1],
  },
  {
    name: 'multiples of a decimal fraction',
    schema: { multipleOf: 0.01 },
    good: [0.07, 0.29, 1.1, 2.03, 19.99, 1e300, 'x'],
    bad: [0.075, 1e-7],
  },
  {
    name: 'exclusive bounds of draft 04',
    schema: {
      $schema: 'http://json-schema.org/draft-04/schema#',
      id: 'https://example.com/amount',
      properties: {
        a: { minimum: 0, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: true },
        b: { minimum: 0, exclusiveMinimum: false, exclusiveMaximum: false },
      },
    },
    good: [{ a: 1, b: 0 }, { b: 9 }],
    bad: [{ a: 0 }, { a: 5 }, { b: -1 }],
  },
  { name: 'formats are annotations', schema: { format: 'email' }, good: ['x'], bad: [] },
  {
    name: 'unevaluatedItems',
    schema: { anyOf: [{ prefixItems: [true] }], unevaluatedItems: false },
    good: [[1]],
    bad: [[1, 2]],
  },
];

const fail = (): Json => assert.fail('secret path');

const members = (tag: string): Json => ({
  properties: Object.fromEntries(
    Array.from({ length: 990 }, (_, i) => [`${tag}${i}`, { type: 'string', minLength: 2 }]),
  ),
});

describe('schema validator', () => {
  for (const { name, schema, good, bad } of cases) {
    test(name, () => {
      for (const value of good) assert.equal(passes(schema, value), true, JSON.stringify(value));
      for (const value of bad) assert.equal(passes(schema, value), false, JSON.stringify(value));
    });
  }

  test('names the instance path, the keyword and where it stands in the schema as it was written', () => {
    const schema = { $defs: { row: { properties: { 'a/b': { type: 'string' } } } }, items: { $ref: '#/$defs/row' } };
    assert.deepEqual(firstError(schema, [{}, { 'a/b': 1 }]), {
      path: '/1/a~1b',
      keyword: 'type',
      schemaPath: '/$defs/row/properties/a~1b/type',
    });
    assert.equal(firstError(false, 1)?.keyword, 'false_schema');
    assert.deepEqual(firstError({ enum: [1] }, 2), { path: '', keyword: 'enum', schemaPath: '/enum' });
  });

  test('names the member that is missing, or that is not allowed', () => {
    const schema = {
      properties: { a: { type: 'object', required: ['b/c'] } },
      propertyNames: { maxLength: 3 },
      dependentRequired: {},
      additionalProperties: false,
    };
    const found = (value: Json) => {
      const error = firstError(schema, value);
      return [error?.path, error?.member, error?.keyword];
    };
    assert.deepEqual(found({ a: {} }), ['/a', 'b/c', 'required']);
    assert.deepEqual(found({ a: { 'b/c': 1 }, x: 1 }), ['', 'x', 'additionalProperties']);
    assert.deepEqual(found({ long: 1 }), ['', 'long', 'maxLength']);
    const many = { required: Array.from({ length: 20 }, (_, index) => `n${index}`) };
    assert.equal(firstError(many, {})?.member, 'n0');
    assert.equal(firstError({ unevaluatedProperties: false }, { u: 1 })?.member, 'u');
    assert.equal(firstError({ additionalProperties: false }, { [`${'x'.repeat(64)}y`]: 1 })?.member, undefined);
  });

  test('tells of the alternative that came furthest first, and each error once', () => {
    const kinds = Array.from({ length: 30 }, (_, index) => ({
      properties: { kind: { const: `k${index}` }, size: { properties: { w: { type: 'number' } } } },
      required: ['kind'],
    }));
    const schema = { properties: { shape: { oneOf: kinds } } };
    const result = createSchemaValidator({ maxCompiled: 1 }).validate(digestOf(schema), () => schema, {
      shape: { kind: 'k7', size: { w: 'wide' } },
    });
    assert.ok(!result.ok);
    assert.deepEqual(
      tellingErrors(result.error, 8).map(({ path, keyword }) => `${path} ${keyword}`),
      ['/shape/size/w type', '/shape/kind const', '/shape oneOf'],
    );
  });

  test('never says what the value was', () => {
    const secret = 'hunter2-hunter2';
    const schema = {
      anyOf: [
        { const: 1 },
        { type: 'string', pattern: '^x$' },
        { enum: ['a'] },
        { type: 'object', additionalProperties: false },
      ],
    };
    const validator = createSchemaValidator({ maxCompiled: 1 });
    for (const value of [secret, { a: secret }, [secret]]) {
      const result = validator.validate(digestOf(schema), () => schema, value);
      assert.ok(!result.ok && result.error.length > 1);
      assert.ok(!JSON.stringify(result.error).includes('hunter2'));
    }
  });

  test('bounds pointers and the number of errors', () => {
    const long = 'n'.repeat(5000);
    const schema = { additionalProperties: { type: 'string' } };
    assert.equal(firstError(schema, { [long]: 1 })?.path, '');
    const wide = { anyOf: Array.from({ length: 100 }, (_, index) => ({ const: index })) };
    const result = createSchemaValidator({ maxCompiled: 1 }).validate(digestOf(wide), () => wide, 'x');
    assert.ok(!result.ok && result.error.length <= 256);
  });

  test('never compiles what is not vetted', () => {
    assert.deepEqual(firstError({ properties: { a: { $ref: 'http://evil.example/' } } }, {}), {
      path: '',
      keyword: 'schema_refused',
      schemaPath: '/properties/a/$ref',
    });
  });

  test('takes a schema only for its own digest', () => {
    const validator = createSchemaValidator({ maxCompiled: 2 });
    const strict = { type: 'string' };
    const result = validator.validate(digestOf(strict), () => true, 1);
    assert.ok(!result.ok && result.error[0]?.keyword === 'exception');
    validator.validate(digestOf(strict), () => ({ $ref: 'http://evil.example/' }), 1);
    assert.equal(validator.validate(digestOf(strict), () => strict, 1).ok, false);
    assert.equal(validator.validate(digestOf(strict), () => strict, 'a').ok, true);
  });

  test('turns an exception into an error, and asks again the next time', () => {
    const validator = createSchemaValidator({ maxCompiled: 2 });
    const result = validator.validate(digestOf(true), fail, 1);
    assert.deepEqual(result, { ok: false, error: [{ path: '', keyword: 'exception', schemaPath: '' }] });
    assert.equal(validator.validate(digestOf(true), () => true, 1).ok, true);
  });

  test('keeps the most recently used schemas, and no more than it may', () => {
    const validator = createSchemaValidator({ maxCompiled: 2 });
    let loads = 0;
    const use = (schema: Json): void => {
      validator.validate(digestOf(schema), () => ((loads += 1), schema), 1);
    };
    const [a, b, c] = [{ minimum: 1 }, { minimum: 2 }, { minimum: 3 }];
    for (const schema of [a, b, a, c, a]) use(schema);
    assert.equal(loads, 3);
    use(b);
    assert.equal(loads, 4);
  });

  const grow = { properties: { next: { $ref: '#/$defs/n' } } };
  const chain = (length: number): Json => (length === 0 ? {} : { next: chain(length - 1) });
  const names = Array.from({ length: 300 }, (_, index) => `n${index}`);
  const hostile: { name: string; schema: Json; value: Json }[] = [
    {
      name: 'a recursion that doubles with each level of the value',
      schema: { $defs: { n: { allOf: [grow, grow] } }, $ref: '#/$defs/n' },
      value: chain(60),
    },
    {
      name: 'a pattern that thrashes the automaton',
      schema: { items: { not: { pattern: '(?:a|b)*a(?:a|b){300}[c-x]' } } },
      value: Array.from({ length: 100 }, () => 'abbabaab'.repeat(100)),
    },
    {
      name: 'many patterns over one long text',
      schema: { allOf: Array.from({ length: 500 }, (_, index) => ({ pattern: `^[a-z]*${index}?$` })) },
      value: 'a'.repeat(4_000_000),
    },
    {
      name: 'lists of names for each of many objects',
      schema: { items: { dependentRequired: Object.fromEntries(names.map((name) => [name, names])) } },
      value: Array.from({ length: 2000 }, () => Object.fromEntries(names.map((name) => [name, 1]))),
    },
    {
      name: 'many lengths of one long text',
      schema: { allOf: Array.from({ length: 900 }, () => ({ minLength: 1 })) },
      value: 'x'.repeat(1_000_000),
    },
    {
      name: 'many comparisons with a large value',
      schema: { allOf: Array.from({ length: 900 }, () => ({ not: { enum: [1] } })) },
      value: ['x'.repeat(1_000_000)],
    },
  ];
  for (const { name, schema, value } of hostile) {
    test(`refuses within bounded work: ${name}`, () => {
      const started = performance.now();
      assert.equal(firstError(schema, value)?.keyword, 'steps_exceeded');
      assert.ok(performance.now() - started < 5000);
    });
  }

  test('has time enough for honest values', () => {
    assert.equal(passes({ $defs: { n: { allOf: [grow, grow] } }, $ref: '#/$defs/n' }, chain(8)), true);
    const row = { id: '123e4567-e89b-12d3-a456-426614174000', name: 'a name', tags: ['a', 'b'], nested: { at: 12 } };
    const uuid = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';
    const rows = {
      items: {
        type: 'object',
        properties: { id: { type: 'string', pattern: uuid }, tags: { items: { enum: ['a', 'b'] } } },
      },
    };
    assert.equal(
      firstError(
        rows,
        Array.from({ length: 20_000 }, () => row),
      ),
      undefined,
    );
  });

  test('takes linear time where a comparison of each with each would not', () => {
    const items = Array.from({ length: 50_000 }, (_, index) => ({ index, kind: `k${index % 5000}` }));
    const schema = {
      uniqueItems: true,
      items: { properties: { kind: { enum: Array.from({ length: 5000 }, (_, index) => `k${index}`) } } },
    };
    const started = performance.now();
    assert.equal(passes(schema, items), true);
    assert.ok(performance.now() - started < 3000);
  });

  test('compiles schemas as broad and as deep as vetting allows', () => {
    const broad = {
      properties: Object.fromEntries(
        Array.from({ length: 1000 }, (_, i) => [`p${i}`, { type: 'string', minLength: 2 }]),
      ),
    };
    assert.equal(passes(broad, { p999: 'ab' }), true);
    assert.equal(firstError(broad, { p999: 'a' })?.path, '/p999');
    const outer = members('a') as { properties: Record<string, Json> };
    const within = { properties: { ...outer.properties, last: members('b') } };
    assert.equal(firstError(within, { last: { b989: 'b' } })?.path, '/last/b989');
    const shared = { $defs: { big: members('c') }, properties: {} as Record<string, Json> };
    for (let index = 0; index < 9; index += 1) shared.properties[`p${index}`] = { $ref: '#/$defs/big' };
    assert.equal(firstError(shared, { p8: { c989: 'c' } })?.path, '/p8/c989');
    let deep: Json = { type: 'string' };
    for (let level = 0; level < 32; level += 1) deep = { properties: { a: deep }, items: true };
    let value: Json = 1;
    for (let level = 0; level < 32; level += 1) value = { a: value };
    assert.equal(firstError(deep, value)?.path, '/a'.repeat(32));
  });
});
