import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Json } from '../kernel/canonical-json.js';
import { digestOfBytes } from '../kernel/digest.js';
import { heapMiB } from '../../test/support/memory.js';
import { freshCedar, parsePolicies, PolicyEngine, toCedar, type AuthorityRequest } from './cedar.js';
import { test } from '../../test/support/testing.js';

const ALLOW = 'permit(principal, action, resource);';
const request = (
  more: Partial<AuthorityRequest> = {},
  context: Partial<AuthorityRequest['context']> = {},
): AuthorityRequest => ({
  user: { id: 'ada', roles: ['staff'], attributes: {} },
  effect: 'read',
  capability: 'memory',
  category: 'notes',
  operation: 'recall',
  context: { purpose: 'p', agent: 'a', host: 'h', sensitivity: 'internal', arguments: {}, ...context },
  ...more,
});
const evaluate = (text: string, asked = request()) => {
  const engine = new PolicyEngine();
  const set = digestOfBytes(text);
  engine.load(set, text);
  return engine.evaluate(set, asked);
};
const converted = (value: Json): unknown => {
  const result = toCedar(value);
  return result.ok ? result.value : result.error;
};

test('numbers that are no i64, or beyond what a double counts, become their canonical text', () => {
  assert.deepEqual(converted([0, -1, 2 ** 53 - 1, 2 ** 53, 0.5, 1e21, -1e-7]), [
    0,
    -1,
    9007199254740991,
    '9007199254740992',
    '0.5',
    '1e+21',
    '-1e-7',
  ]);
});

test('a null becomes the empty record, in objects and in lists, however deep', () => {
  assert.deepEqual(converted({ a: null, b: [null, 1, [null]], c: { d: null } }), {
    a: {},
    b: [{}, 1, [{}]],
    c: { d: {} },
  });
  assert.deepEqual(converted(null), {});
});

test('nothing that is sent is hidden: Cedar sees each member of the data, and no other', () => {
  const places = (value: unknown): unknown => {
    if (value === null) return [];
    return typeof value === 'object' ? Object.entries(value).map(([key, member]) => [key, places(member)]) : 'leaf';
  };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const result = toCedar(value as Json);
      if (result.ok) assert.deepEqual(places(result.value), places(value));
    }),
    { numRuns: 300 },
  );
});

test('a key that Cedar would read as an entity or an extension is an error, however deep', () => {
  for (const key of ['__entity', '__extn', '__expr']) {
    assert.equal(converted({ [key]: { type: 'User', id: 'root' } }), 'escape');
    assert.equal(converted({ a: [[{ b: { [key]: 1 } }]] }), 'escape');
    assert.equal(converted({ [key]: null }), 'escape');
  }
  assert.deepEqual(converted({ a: '__entity', __entities: 1 }), { a: '__entity', __entities: 1 });
});

test('keys such as __proto__ are kept as they are', () => {
  const value = JSON.parse('{"__proto__":{"admin":true},"constructor":1}') as Json;
  const result = converted(value) as object;
  assert.deepEqual(Object.keys(result), ['__proto__', 'constructor']);
  assert.equal((result as { admin?: unknown }).admin, undefined);
});

test('whatever the arguments are, a policy that does not look at them is not moved by them', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const answer = evaluate(ALLOW, request({}, { arguments: { value: value as Json } }));
      const escapes = /"__(entity|extn|expr)":/.test(JSON.stringify(value));
      assert.equal(answer.outcome, escapes ? 'error' : 'allow');
    }),
    { numRuns: 100 },
  );
});

test('deny is the default, forbid wins, an error denies beside an allow', () => {
  assert.deepEqual(evaluate('permit(principal == User::"eve", action, resource);'), {
    outcome: 'deny',
    determining: [],
  });
  assert.deepEqual(evaluate(`${ALLOW} @id("no") forbid(principal, action, resource);`), {
    outcome: 'deny',
    determining: ['no'],
  });
  assert.equal(evaluate(`${ALLOW} permit(principal, action, resource) when { principal.none > 1 };`).outcome, 'error');
  assert.equal(
    evaluate(`${ALLOW} forbid(principal, action, resource) when { context.arguments.none };`).outcome,
    'error',
  );
});

test('determining policies are told by their @id, else by their place, in order', () => {
  assert.deepEqual(evaluate(`@id("z") ${ALLOW} @id("a") ${ALLOW} ${ALLOW}`).determining, ['a', 'policy2', 'z']);
});

test('a set that was not loaded allows nothing', () => {
  assert.notEqual(new PolicyEngine().evaluate(digestOfBytes('never loaded'), request()).outcome, 'allow');
});

test('what does not parse is told without being quoted, and cannot be loaded', () => {
  for (const text of [
    'permit(principal',
    'permit(principal == ?principal, action, resource);',
    `@id("a") ${ALLOW} @id("a") ${ALLOW}`,
    `@id("policy1") ${ALLOW} ${ALLOW}`,
    'hunter2',
  ]) {
    const parsed = parsePolicies(freshCedar(), text);
    assert.ok(!parsed.ok && parsed.error.length > 0, text);
    assert.ok(parsed.error.every(({ message }) => !message.includes('hunter2')));
    assert.throws(() => new PolicyEngine().load(digestOfBytes(text), text));
  }
});

test('policies without an @id are numbered in the order of the text, past ten too', () => {
  const texts = Array.from({ length: 12 }, (_, index) =>
    index === 2 ? ALLOW : 'permit(principal == User::"nobody", action, resource);',
  );
  const engine = new PolicyEngine();
  const set = digestOfBytes('twelve');
  engine.load(set, texts.join('\n'));
  assert.deepEqual(engine.evaluate(set, request()), { outcome: 'allow', determining: ['policy2'] });
});

test('what breaks the engine is an error for that request alone', () => {
  const engine = new PolicyEngine();
  const [sound, breaking] = [digestOfBytes('sound'), digestOfBytes('breaking')];
  engine.load(sound, ALLOW);
  const deep = `permit(principal, action, resource) when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`;
  assert.throws(() => engine.load(breaking, deep));
  assert.equal(engine.evaluate(breaking, request()).outcome, 'error');
  assert.equal(engine.evaluate(sound, request()).outcome, 'allow');
});

test('determining policies without an @id are counted in the order of the text, however many there are', () => {
  const denying = 'permit(principal == User::"eve", action, resource);';
  const text = [...Array.from({ length: 11 }, () => denying), ALLOW].join(' ');
  assert.deepEqual(evaluate(text).determining, ['policy11']);
});

test('long questions are told apart to the last character, and not kept as they are', () => {
  const engine = new PolicyEngine();
  const text = 'permit(principal, action, resource) when { principal.note like "*yes" };';
  const set = digestOfBytes(text);
  engine.load(set, text);
  const asked = (note: string) => request({ user: { id: 'ada', roles: [], attributes: { note } } });
  const filler = 'x'.repeat(60_000);
  assert.equal(engine.evaluate(set, asked(`${filler}yes`)).outcome, 'allow');
  assert.equal(engine.evaluate(set, asked(`${filler}no`)).outcome, 'deny');
  assert.equal(engine.evaluate(set, asked(`${filler}yes`)).outcome, 'allow');
  const before = heapMiB();
  for (let each = 0; each < 500; each += 1) engine.evaluate(set, asked(`${filler}${each}`));
  const grown = heapMiB() - before;
  assert.ok(grown < 5, `${grown} MiB`);
});
