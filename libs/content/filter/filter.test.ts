import assert from 'node:assert/strict';
import { test } from '../../../test/support/testing.js';
import { digestOf } from '../../kernel/digest.js';
import type { Json, JsonObject } from '../../kernel/canonical-json.js';
import { createSchemaValidator } from '../schema/schema-validator.js';
import { readSchema } from '../schema/schema-vetting.js';
import { declaredBy, declares, WHOLE } from './declared.js';
import { filterOutbound } from './filter.js';
import type { Detecting, FilterInput, FilterResult } from './shapes.js';

/** The filter step by step, with a small pack of its own. */

const LEVELS = { 'secret:key': 'restricted', 'pii:email': 'confidential', 'pii:ip': 'internal' } as const;
const RULES = [
  ['secret:key', /KEY-[0-9]{4}/g],
  ['pii:email', /[a-z]+@[a-z]+\.org/g],
  ['pii:ip', /10\.0\.0\.\d+/g],
] as const;

const pack: Detecting = {
  levelOf: (type) => LEVELS[type as keyof typeof LEVELS],
  isSecretField: () => false,
  detect: (text) =>
    RULES.flatMap(([type, rule]) =>
      [...text.matchAll(rule)].map(({ index, 0: found }) => ({
        start: index,
        end: index + found.length,
        type,
        level: LEVELS[type],
      })),
    ).sort((a, b) => a.start - b.start),
};

const validator = createSchemaValidator({ maxCompiled: 50 });

function run(given: Partial<FilterInput>, schema?: Json, by: Detecting = pack): FilterResult {
  const input: FilterInput = {
    arguments: {},
    context: [],
    labels: [],
    contextLevel: 'confidential',
    flow: [],
    needs: {},
    sensitivity: 'internal',
    ...given,
  };
  if (schema === undefined)
    return filterOutbound(input, { pack: by, declared: WHOLE, valid: () => ({ ok: true, value: undefined }) });
  const vetted = readSchema(schema);
  assert.ok(vetted.ok);
  return filterOutbound(input, {
    pack: by,
    declared: declaredBy(vetted.value),
    valid: (value) => validator.validate(digestOf(schema), () => schema, value),
  });
}

const sent = (given: Partial<FilterInput>, schema?: Json): JsonObject => run(given, schema).outbound.arguments;

test('nothing to do: the same arguments, and an empty record', () => {
  const given = { a: 'text', b: [1, { c: null }] };
  const { outbound, record, denial } = run({ arguments: given });
  assert.equal(outbound.arguments, given);
  assert.deepEqual(record, { redactions: [], refusals: [], labels: [], items: [] });
  assert.equal(denial, undefined);
});

test('1: what the input schema does not declare is taken out, at any depth', () => {
  const schema = {
    type: 'object',
    properties: { a: { $ref: '#/$defs/a' }, free: { type: 'object' }, list: { items: { properties: { x: true } } } },
    $defs: { a: { allOf: [{ properties: { x: {} } }], anyOf: [{ properties: { y: {} } }, { type: 'string' }] } },
    patternProperties: { '^p-': { type: 'string' } },
  };
  const given = {
    a: { x: 1, y: 2, z: 3 },
    free: { any: { thing: 1 } },
    list: [{ x: 1, w: 2 }],
    'p-1': 'yes',
    extra: 'no',
  };
  const { outbound, record } = run({ arguments: given }, schema);
  assert.deepEqual(outbound.arguments, { a: { x: 1, y: 2 }, free: given.free, list: [{ x: 1 }], 'p-1': 'yes' });
  assert.deepEqual(
    outbound.redactions.map(({ path, type }) => `${path} ${type}`),
    ['/arguments/a/z not_declared', '/arguments/list/0/w not_declared', '/arguments/extra not_declared'],
  );
  assert.deepEqual(
    record.redactions.map(({ path }) => path),
    ['/arguments/a/*', '/arguments/list/0/*', '/arguments/*'],
    'a name that only the caller has is not recorded',
  );
});

test('1: `properties: {}` declares nothing, an open schema everything, `additionalProperties` the rest', () => {
  const given = { a: 1, b: { c: 2 } };
  assert.deepEqual(sent({ arguments: given }, { properties: {} }), {});
  assert.deepEqual(sent({ arguments: given }, { type: 'object' }), given);
  assert.deepEqual(sent({ arguments: given }, { properties: { a: {} }, additionalProperties: true }), given);
  assert.deepEqual(
    sent({ arguments: given }, { properties: { a: {} }, additionalProperties: { properties: { d: {} } } }),
    { a: 1, b: {} },
  );
  assert.deepEqual(sent({ arguments: { l: [1, 2, 3] } }, { properties: { l: { prefixItems: [{}, {}] } } }), {
    l: [1, 2],
  });
});

test('2: the filter takes out arguments that the manifest does not need, and refuses one that is too long', () => {
  const needs = { arguments: [{ path: '/to' }, { path: '/list/*/name' }, { path: '/body', maxLength: 4 }] };
  const given = { to: 'x', list: [{ name: 'n', age: 3 }], body: 'too long', cc: 'y' };
  const { outbound } = run({ arguments: given, needs });
  assert.deepEqual(outbound.arguments, { to: 'x', list: [{ name: 'n' }] });
  assert.deepEqual(outbound.refusals, [{ path: '/arguments/body', reason: 'context_too_large' }]);
  assert.deepEqual(
    outbound.redactions.map(({ path, type }) => `${path} ${type}`),
    ['/arguments/list/0/age not_needed', '/arguments/cc not_needed'],
  );
  assert.deepEqual(sent({ arguments: { body: '😀😀😀😀' }, needs }), { body: '😀😀😀😀' }, 'code points');
});

test('3: secrets, and spans above the sensitivity, are replaced; others stay and are labelled', () => {
  const given = { a: 'KEY-1234 and KEY-5678', b: 'ada@example.org', c: ['at 10.0.0.1'], n: 1234567 };
  const { outbound, record } = run({ arguments: given });
  assert.deepEqual(outbound.arguments, {
    a: '[redacted secret:key] and [redacted secret:key]',
    b: '[redacted pii:email]',
    c: ['at 10.0.0.1'],
    n: 1234567,
  });
  assert.deepEqual(outbound.redactions, [
    { path: '/arguments/a', type: 'secret:key', count: 2 },
    { path: '/arguments/b', type: 'pii:email', count: 1 },
  ]);
  const label = { level: 'internal', categories: ['pii:ip'] };
  assert.deepEqual(outbound.labels, [{ path: '/arguments/c/0', ...label, source: 'detected' }]);
  assert.deepEqual(record.labels, [{ path: '/arguments/*/0', ...label, by: 'detected' }]);
});

test('3: a type that the path accepts leaves, unless it overlaps something higher', () => {
  const needs = { arguments: [{ path: '/to', accepts: ['pii:email'] }, { path: '/body' }] };
  const given = { to: 'ada@example.org', body: 'ada@example.org' };
  const { outbound } = run({ arguments: given, needs });
  assert.deepEqual(outbound.arguments, { to: 'ada@example.org', body: '[redacted pii:email]' });
  assert.deepEqual(outbound.labels, [
    { path: '/arguments/to', level: 'confidential', categories: ['pii:email'], source: 'detected' },
  ]);
  const overlapping: Detecting = {
    ...pack,
    detect: (text) =>
      text.startsWith('[') ? [] : [{ start: 0, end: text.length, type: 'pii:email', level: 'restricted' }],
  };
  assert.deepEqual(run({ arguments: { to: 'x' }, needs }, undefined, overlapping).outbound.arguments, {
    to: '[redacted pii:email]',
  });
});

test('3: a name that holds a secret is taken out with its value, and no pointer has it', () => {
  const result = run({ arguments: { 'KEY-1234': { deep: 'v' }, 'ada@example.org': 'v' }, sensitivity: 'confidential' });
  assert.deepEqual(result.outbound.arguments, { 'ada@example.org': 'v' });
  assert.ok(!JSON.stringify(result.record).includes('KEY-1234'));
  assert.ok(!JSON.stringify([result.record, result.outbound.redactions]).includes('ada@example.org'));
});

test('4: a value whose stated label is above the sensitivity is taken out; lower labels are sent along', () => {
  const labels = [
    { path: '/a', level: 'restricted', source: 'vault' },
    { path: '/b', level: 'internal', categories: ['financial'] },
  ] as const;
  const { outbound, record } = run({ arguments: { a: { x: 1 }, b: 'text' }, labels });
  assert.deepEqual(outbound.arguments, { b: 'text' });
  assert.deepEqual(outbound.redactions, [{ path: '/arguments/a', type: 'above_sensitivity', count: 1 }]);
  assert.deepEqual(outbound.labels, [
    { path: '/arguments/b', level: 'internal', categories: ['financial'], source: 'caller' },
  ]);
  assert.deepEqual(
    record.labels.map(({ path, by, level }) => [path, by, level]),
    [
      ['/arguments/*', 'stated', 'restricted'],
      ['/arguments/*', 'stated', 'internal'],
    ],
  );
});

test('4: a label whose pointer leads nowhere counts for the nearest value above', () => {
  const labels = [{ path: '/a/typo', level: 'restricted' }] as const;
  assert.deepEqual(sent({ arguments: { a: { x: 1 }, b: 2 }, labels }), { b: 2 });
  assert.deepEqual(sent({ arguments: { a: 1 }, labels: [{ path: 'a', level: 'restricted' }] }), {}, 'no pointer');
});

test('4: labels of flow count by ordinals, and an approval lets them pass', () => {
  const flow = [{ path: '/arguments/1', level: 'restricted', categories: [], source: 'task' }] as const;
  const given = { arguments: { b: 'x', a: 'y' }, flow };
  assert.deepEqual(sent(given), { a: 'y' });
  assert.deepEqual(sent({ ...given, flowApproved: true }), given.arguments);
});

test('4: many labels of flow for a wide object cost its members once', () => {
  const given = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`m${index}`, 'x']));
  const flow = Array.from({ length: 512 }, (_, index) => ({
    path: `/arguments/${index}`,
    level: 'restricted' as const,
    categories: [],
    source: 'a',
  }));
  const reads: string[] = [];
  const counted = new Proxy(given, {
    ownKeys: (target) => {
      reads.push('names');
      return Reflect.ownKeys(target);
    },
  });
  assert.equal(Object.keys(run({ arguments: counted, flow }).outbound.arguments).length, 10_000 - 512);
  assert.ok(reads.length < 10, String(reads.length));
});

test('context items: a label that flow raised is recorded as its work', () => {
  const context = [
    { id: 'a', source: 'crm', level: 'public' as const, content: 'x' },
    { id: 'b', source: 'crm', level: 'internal' as const, content: 'x' },
  ];
  const flow = [0, 1].map((index) => ({
    path: `/context/${index}`,
    level: 'internal' as const,
    categories: [],
    source: 'derived',
  }));
  const { record } = run({ context, flow, needs: { context: ['crm'] } });
  assert.deepEqual(
    record.labels.map(({ by }) => by),
    ['flow', 'stated'],
  );
});

test('categories of the caller are without spans of any level, and bounded', () => {
  const categories = ['ada@example.org', ...Array.from({ length: 63 }, (_, index) => `c${index}`)];
  const context = [{ id: 'a', source: 'crm', categories, content: 'KEY 10.0.0.1' }];
  const { record } = run({ context, needs: { context: ['crm'] }, sensitivity: 'restricted' });
  assert.ok(!JSON.stringify(record).includes('ada@'));
  const [item] = record.items;
  assert.equal(item?.categories.length, 65);
  assert.ok(item.categories.includes('several') && item.categories.includes('pii:ip'));
});

test('5: a span that is left after redaction denies', () => {
  const stubborn: Detecting = {
    ...pack,
    detect: (text) => (text === 'a' ? [] : [{ start: 0, end: 1, type: 'secret:key', level: 'restricted' }]),
  };
  const { denial, outbound } = run({ arguments: { a: 'text' } }, undefined, stubborn);
  assert.deepEqual(denial, { reason: 'filter_failed', evidence: {} });
  assert.deepEqual(outbound.arguments, {});
});

test('an error in the filter denies', () => {
  const broken: Detecting = {
    ...pack,
    detect() {
      throw new Error('broken');
    },
  };
  assert.equal(run({ arguments: { a: 'text' } }, undefined, broken).denial?.reason, 'filter_failed');
});

test('arguments that no longer match their schema deny, with the reason and the place of the loss', () => {
  const schema = { properties: { a: { type: 'string' }, b: { type: 'integer' } }, required: ['a', 'b'] };
  const needs = { arguments: [{ path: '/a' }] };
  assert.deepEqual(run({ arguments: { a: 'x', b: 1 }, needs }, schema).denial, {
    reason: 'context_not_needed',
    evidence: { path: '/arguments/b', type: 'not_needed' },
  });
  assert.deepEqual(run({ arguments: { a: 'x', b: 1 }, labels: [{ path: '/a', level: 'restricted' }] }, schema).denial, {
    reason: 'context_above_sensitivity',
    evidence: { path: '/arguments/a', type: 'above_sensitivity' },
  });
  assert.deepEqual(
    run({ arguments: { a: 'xx', b: 1 }, needs: { arguments: [{ path: '/a', maxLength: 1 }, { path: '/b' }] } }, schema)
      .denial,
    { reason: 'context_too_large', evidence: { path: '/arguments/a', type: 'context_too_large' } },
  );
});

test('context items: source, level and size in this order; then spans', () => {
  const context = [
    { id: '1', source: 'crm/ada', level: 'internal', content: 'KEY-1234 at 10.0.0.1', categories: ['financial'] },
    { id: '2', source: 'chat', level: 'restricted', content: 'x' },
    { id: '3', source: 'crm/bob', content: 'unlabelled' },
    { id: '4', source: 'crm/eve', level: 'public', content: 'x'.repeat(41) },
  ] as const;
  const { outbound, record, obligations, denial } = run({
    context,
    needs: { context: ['crm/*'], contextBytes: 40 },
  });
  assert.equal(denial, undefined);
  assert.deepEqual(outbound.context, [
    {
      id: '1',
      source: 'crm/ada',
      level: 'internal',
      categories: ['financial', 'pii:ip'],
      content: '[redacted secret:key] at 10.0.0.1',
    },
  ]);
  assert.deepEqual(outbound.refusals, [
    { path: '/context/1', reason: 'context_not_needed' },
    { path: '/context/2', reason: 'context_above_sensitivity' },
    { path: '/context/3', reason: 'context_too_large' },
  ]);
  assert.deepEqual(outbound.redactions, [{ path: '/context/0/content', type: 'secret:key', count: 1 }]);
  assert.deepEqual(outbound.labels, [
    { path: '/context/0', level: 'internal', categories: ['financial', 'pii:ip'], source: 'crm/ada' },
  ]);
  assert.deepEqual(obligations, ['summarise:4']);
  assert.deepEqual(
    record.items.map(({ level, sent: isSent, need, bytes }) => [level, isSent, need, bytes]),
    [
      ['internal', true, 'crm/*', 20],
      ['restricted', false, undefined, 1],
      ['confidential', false, 'crm/*', 10],
      ['public', false, 'crm/*', 41],
    ],
  );
  assert.ok(!JSON.stringify(record).includes('crm/ada'), 'a source of the host is not recorded');
});

test('a required item that is refused denies with its reason and place', () => {
  const context = [{ id: '1', source: 'chat', content: 'x', required: true }];
  assert.deepEqual(run({ context }).denial, { reason: 'context_not_needed', evidence: { path: '/context/0' } });
});

test('names that come along with an item are redacted too', () => {
  const context = [
    { id: 'KEY-1111', source: 's/KEY-2222', categories: ['KEY-3333'], mimeType: 'KEY-4444', content: 'c' },
  ];
  const { outbound, record } = run({ context, needs: { context: ['s/*'] }, sensitivity: 'restricted' });
  assert.equal(outbound.context.length, 1);
  assert.doesNotMatch(JSON.stringify([outbound, record]), /KEY-\d/);
});

test('the lists are bounded', () => {
  const given = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`name-${index}`, 'KEY-1234']));
  const { outbound, record } = run({ arguments: given });
  assert.ok(outbound.redactions.length <= 257 && record.redactions.length <= 257);
  assert.equal(
    outbound.redactions.reduce((sum, { count }) => sum + count, 0),
    5000,
  );
});

test('pointers of manifests: only declared ones', () => {
  const vetted = readSchema({ properties: { a: { properties: { b: {} } }, l: { items: { properties: { x: {} } } } } });
  assert.ok(vetted.ok);
  const place = declaredBy(vetted.value);
  const known = (...segments: string[]) => declares(place, segments);
  assert.ok(known() && known('a') && known('a', 'b') && known('l', '*', 'x') && known('l', '0', 'x') && known('*'));
  assert.ok(!known('c') && !known('a', 'c') && !known('l', '*', 'y'));
});
