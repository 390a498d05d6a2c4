import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { canonicalJson, ownValue } from './canonical-json.js';
import { fingerprintDefinition } from './definition-digest.js';
import { commitmentTo, digestOf, digestOfBytes, DIGEST_PATTERN } from './digest.js';
import { NAME_PATTERN, traceIdOf, UUID_PATTERN, uuidV5, VERSION_PATTERN } from './ids.js';
import { pointerTo } from './pointer.js';
import { test } from '../../test/support/testing.js';

test('the canonical form sorts keys by UTF-16 units and writes numbers as ECMAScript does (RFC 8785)', () => {
  assert.equal(canonicalJson({ b: 1, a: [true, null, 'x'], 10: 1, 2: 2 }), '{"10":1,"2":2,"a":[true,null,"x"],"b":1}');
  assert.equal(canonicalJson([1e21, 1e-7, -0, 4.5, 333333333.3333333]), '[1e+21,1e-7,0,4.5,333333333.3333333]');
  assert.equal(
    canonicalJson({ '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, ö: 7 }),
    '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\u{1f600}":5,"\ufb33":3}',
  );
  assert.equal(canonicalJson('\u000f\n"\\/€'), '"\\u000f\\n\\"\\\\/€"');
});

test('the canonical form keeps keys such as __proto__ and leaves out what is undefined', () => {
  const parsed = JSON.parse('{"toString":1,"__proto__":{"a":2},"constructor":3}') as object;
  assert.equal(canonicalJson(parsed), '{"__proto__":{"a":2},"constructor":3,"toString":1}');
  assert.equal(canonicalJson({ a: undefined, b: 1 }), '{"b":1}');
});

test('what has no canonical form throws', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800', { '\udfff': 1 }, circle, undefined]) {
    assert.throws(() => canonicalJson(value));
  }
});

test('values that are equal have one canonical form, and it reads back as the value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = canonicalJson(value);
      assert.equal(canonicalJson(JSON.parse(text)), text);
      assert.equal(canonicalJson(JSON.parse(JSON.stringify(value))), text);
    }),
    { numRuns: 200 },
  );
});

test('a name from outside finds own members alone', () => {
  const object = JSON.parse('{"a":1,"__proto__":2}') as Record<string, number>;
  assert.deepEqual(
    ['a', '__proto__', 'toString', 'constructor'].map((key) => ownValue(object, key)),
    [1, 2, undefined, undefined],
  );
});

test('digests are SHA-256 with their prefix', () => {
  assert.equal(digestOfBytes('abc'), 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(digestOf({ b: 1, a: 2 }), digestOfBytes('{"a":2,"b":1}'));
  const salt = Buffer.alloc(32, 7);
  assert.equal(commitmentTo(salt, '{}'), digestOfBytes(Buffer.concat([salt, Buffer.from('{}')])));
  assert.match(digestOf(null), DIGEST_PATTERN);
});

test('UUIDv5 is that of RFC 9562', () => {
  assert.equal(
    uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com'),
    '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  );
  fc.assert(
    fc.property(fc.uuid(), fc.string(), (namespace, text) => {
      const id = uuidV5(namespace, text);
      assert.match(id, UUID_PATTERN);
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab]/);
    }),
    { numRuns: 100 },
  );
});

test('ids and versions have the shapes of the contract', () => {
  for (const name of ['a', 'a1', 'a.b_c-d', '0', 'a'.repeat(128)]) assert.match(name, NAME_PATTERN);
  for (const name of ['', 'A', '-a', 'a-', '.a', 'a b', 'a\n', 'a/b', 'a'.repeat(129)]) {
    assert.doesNotMatch(name, NAME_PATTERN);
  }
  for (const version of ['1', '1.0.0-rc.1+build_5', 'A', 'a'.repeat(64)]) assert.match(version, VERSION_PATTERN);
  for (const version of ['', '-1', '.1', '1 0', '1/0', '1\n', 'a'.repeat(65)]) {
    assert.doesNotMatch(version, VERSION_PATTERN);
  }
});

test('a traceparent gives its trace id, or nothing where it is not a valid one', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  assert.equal(traceIdOf(`00-${traceId}-00f067aa0ba902b7-01`), traceId);
  for (const header of [
    undefined,
    '',
    traceId,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`,
    `00-${traceId}-00f067aa0ba902b7`,
    `00-${traceId}-00f067aa0ba902b7-01-more`,
    `ff-${traceId}-00f067aa0ba902b7-01`,
  ]) {
    assert.equal(traceIdOf(header), undefined);
  }
});

test('a pointer escapes what RFC 6901 reserves', () => {
  assert.equal(pointerTo('a/b', '~c', 0, ''), '/a~1b/~0c/0/');
  assert.equal(pointerTo(), '');
});

test('the order of a definition’s lists does not matter, its items and instructions do', () => {
  const tool = fc.record({ description: fc.string(), inputSchema: fc.constant({ type: 'object' }) });
  const named = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(named, fc.array(tool, { minLength: 5, maxLength: 5 }), (names, bodies) => {
      const tools = names.map((name, index) => ({ name, ...bodies[index] }));
      const digest = (definition: Parameters<typeof fingerprintDefinition>[0]) => {
        const fingerprint = fingerprintDefinition(definition);
        assert.ok(fingerprint.ok);
        return fingerprint.value.digest;
      };
      const one = digest({ tools });
      assert.equal(digest({ tools: [...tools].reverse(), prompts: [], files: [] }), one);
      assert.notEqual(digest({ tools, instructions: '' }), one);
      assert.notEqual(digest({ tools: tools.slice(1) }), one);
      assert.notEqual(digest({ tools: tools.map((each) => ({ ...each, more: 1 })) }), one);
      assert.notEqual(digest({ prompts: tools }), one);
    }),
    { numRuns: 50 },
  );
});

test('two items of one name, and an item without one, are a fault that is pointed at', () => {
  const fault = (definition: Parameters<typeof fingerprintDefinition>[0]) => {
    const fingerprint = fingerprintDefinition(definition);
    return fingerprint.ok ? undefined : fingerprint.error.path;
  };
  assert.equal(fault({ tools: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] }), '/tools/2/name');
  assert.equal(fault({ prompts: [{ title: 'a' }] }), '/prompts/0/name');
  assert.equal(fault({ resourceTemplates: [{ uriTemplate: 1 }] }), '/resourceTemplates/0/uriTemplate');
  assert.equal(fault({ tools: [{ name: '__proto__' }, { name: 'constructor' }, { name: 'toString' }] }), undefined);
  assert.equal(fault({ tools: [JSON.parse('{"__proto__":{"name":"a"}}')] }), '/tools/0/name');
});
