import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { depthOf, parseStrictJson, type JsonFault } from './strict-json.js';
import { test } from '../../test/support/testing.js';

const DEPTH = 64;
const runs = { numRuns: 300 };
const JSON_LETTERS = Array.from('{}[]",:\\u0019dea.-+ tfn');

function accepts(text: string, value: unknown = JSON.parse(text)): void {
  const parsed = parseStrictJson(text, DEPTH);
  assert.ok(parsed.ok, parsed.ok ? '' : `${parsed.error.kind}: ${text.slice(0, 80)}`);
  assert.deepEqual(parsed.value, value);
}
function refuses(kind: JsonFault['kind'], text: string, offset?: number): void {
  const parsed = parseStrictJson(text, DEPTH);
  assert.ok(!parsed.ok, text.slice(0, 80));
  assert.equal(parsed.error.kind, kind, text.slice(0, 80));
  if (offset !== undefined) assert.equal(parsed.error.offset, offset);
}

test('takes everything that JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      accepts(text, JSON.parse(text));
    }),
    runs,
  );
});

test('takes it with any white space between, as JSON.parse does', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(' ', '\t', '\n', '\r\n', '   '), (value, space) => {
      accepts(JSON.stringify(value, null, 1).replaceAll('\n', `\n${space}`));
    }),
    runs,
  );
});

test('takes every well-formed text with all of it escaped', () => {
  const escaped = (text: string) =>
    text.replaceAll(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const well = text.toWellFormed();
      accepts(`["${escaped(well)}"]`, [well]);
    }),
    runs,
  );
});

test('never throws, and takes nothing that JSON.parse does not take', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...JSON_LETTERS) }), (text) => {
      const parsed = parseStrictJson(text, DEPTH);
      if (!parsed.ok) return;
      assert.deepEqual(parsed.value, JSON.parse(text));
    }),
    { numRuns: 2000 },
  );
});

test('refuses a key that stands twice in one object, however it is spelt and wherever', () => {
  refuses('duplicate_key', '{"a":1,"a":1}', 7);
  refuses('duplicate_key', '{"a":1,"\\u0061":2}', 7);
  refuses('duplicate_key', '[{"x":{"a":1,"b":2,"a":3}}]');
  refuses('duplicate_key', '{"":1,"":1}');
  refuses('duplicate_key', '{"__proto__":1,"__proto__":2}');
  refuses('duplicate_key', '{"1":1,"1":2}');
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 }), (object) => {
      const text = JSON.stringify(object);
      const key = JSON.stringify(Object.keys(object)[0]);
      refuses('duplicate_key', `${text.slice(0, -1)},${key}:null}`);
    }),
    runs,
  );
});

test('takes a key that stands in two objects, and one that an object inherits', () => {
  accepts('{"a":{"a":1},"b":[{"a":1},{"a":2}]}');
  const { value } = parseStrictJson('{"__proto__":1,"constructor":2,"toString":3}', DEPTH) as { value: object };
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor', 'toString']);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
});

test('refuses a number that a double does not hold as it is written', () => {
  for (const number of [
    '9007199254740993',
    '-9007199254740993',
    '1e400',
    '-1e400',
    '1e-400',
    '0.10000000000000000001',
    '123456789012345678901234567890',
    '3.141592653589793238462643383279',
    '5e-325',
    '9223372036854775807',
    '9223372036854775809',
    '18446744073709551615',
    '9223372036854775808.5',
    '0.100000000000000005551115123125782702118158340454101562',
  ]) {
    refuses('inexact_number', `[${number}]`, 1);
    refuses('inexact_number', `{"a":${number}}`, 5);
  }
});

test('takes a number in any spelling that says what the double holds', () => {
  for (const number of [
    '0',
    '-0',
    '1.0',
    '1.50',
    '1e3',
    '1E+3',
    '100e-2',
    '0.1',
    '1e21',
    '9007199254740992',
    '1.7976931348623157e308',
    '5e-324',
    '0e999',
    '0.000',
    '9223372036854775808',
    '-9223372036854775808',
    '18446744073709551616',
    '9223372036854775808.0',
    '922337203685477580800e-2',
    '9223372036854776000',
    '0.1000000000000000055511151231257827021181583404541015625',
  ]) {
    accepts(`[${number}]`);
    accepts(number);
  }
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => accepts(` ${String(number)} `)),
    runs,
  );
});

test('takes the exact value of every double, and no number beside it', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }), fc.integer({ min: 1, max: 970 }), (odd, power) => {
      const exact = odd << BigInt(power);
      accepts(`[${exact}]`);
      accepts(`-${exact}`);
      if (power > 4) refuses('inexact_number', `[${exact + 1n}]`, 1);
    }),
    runs,
  );
});

test('names the place by a pointer', () => {
  const place = (text: string): string | undefined => {
    const parsed = parseStrictJson(text, DEPTH);
    return parsed.ok ? undefined : parsed.error.path;
  };
  assert.equal(place('9007199254740993'), '');
  assert.equal(place('{"a":[1,{"b/c":true},[],9007199254740993]}'), '/a/3');
  assert.equal(place('{"x":{"y":[[],{"q":","}]},"b/c":{"~":1e999}}'), '/b~1c/~0');
  assert.equal(place('[{"a\\"]}":[0,[1]]},{"a":1,"a":2}]'), '/1');
  assert.equal(place('[0,"\ud800"]'), '/1');
  assert.equal(place(`{"${'n'.repeat(5000)}":1e999}`)?.length, 500);
});

test('refuses a surrogate without its pair, in values and in keys', () => {
  refuses('lone_surrogate', '["\\ud800"]', 1);
  refuses('lone_surrogate', '["\\udc00\\ud800"]');
  refuses('lone_surrogate', '{"\\udfff":1}', 1);
  refuses('lone_surrogate', '["\ud800"]');
  accepts('["\\ud83d\\ude00"]', ['\u{1f600}']);
  accepts('["\\\\ud800"]', ['\\ud800']);
});

test('refuses nesting past the bound, at any length, without running out of stack', () => {
  accepts('['.repeat(DEPTH) + ']'.repeat(DEPTH));
  refuses('too_deep', '['.repeat(DEPTH + 1) + ']'.repeat(DEPTH + 1));
  refuses('too_deep', '{"a":'.repeat(DEPTH + 1) + '1' + '}'.repeat(DEPTH + 1));
  const kind = parseStrictJson('['.repeat(5_000_000), DEPTH);
  assert.ok(!kind.ok);
});

test('says what is wrong in words of its own', () => {
  for (const text of ['', '{', 'secret', '{"secret":}', '[1,]', "{'a':1}", '[1] 2', '\ufeff[]', 'NaN', '01']) {
    const parsed = parseStrictJson(text, DEPTH);
    assert.ok(!parsed.ok);
    assert.deepEqual(parsed.error, { kind: 'syntax', message: 'not JSON' });
  }
  const twice = parseStrictJson('{"secret":1,"secret":2}', DEPTH);
  assert.ok(!twice.ok && !twice.error.message.includes('secret'));
});

test('depth counts what is nested, to one past its limit', () => {
  assert.deepEqual(
    [1, [], {}, [[]], { a: [{}] }].map((value) => depthOf(value, DEPTH)),
    [0, 1, 1, 2, 3],
  );
  assert.equal(depthOf([[[[[]]]]], 2), 3);
});
