import assert from 'node:assert/strict';
import { defined } from './defined.js';
import { test } from '../../test/support/testing.js';

interface Wanted {
  readonly kind: 'a';
  readonly text?: string;
  readonly count: number;
}

test('undefined members are dropped and the others keep their order', () => {
  const text: string | undefined = [undefined, 'x'].at(0);
  const result: Wanted = defined({ kind: 'a', text, count: 1 });
  assert.deepEqual(Object.keys(result), ['kind', 'count']);
  assert.equal(JSON.stringify(defined({ b: 1, a: 'x', c: null })), '{"b":1,"a":"x","c":null}');
});

test('values that are false, null, zero or empty are kept', () => {
  assert.deepEqual(defined({ a: false, b: null, c: 0, d: '' }), { a: false, b: null, c: 0, d: '' });
});

test('a member named __proto__ is a member and sets no prototype', () => {
  const named = defined(JSON.parse('{"__proto__":{"a":1}}') as object);
  assert.deepEqual(Object.keys(named), ['__proto__']);
  assert.equal(Object.getPrototypeOf(named), Object.prototype);
});
