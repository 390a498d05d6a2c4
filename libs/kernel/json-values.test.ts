import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { exceededBound, type ValueBounds } from './json-values.js';
import { test } from '../../test/support/testing.js';

/** Each container, item and member value counts once. */
function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, member) => sum + valuesIn(member), 1);
}

const inner: ValueBounds = { most: 30 };
const bounds: ValueBounds = { most: 20, within: { a: inner, holder: { most: 10, within: { a: inner } } } };

/** Long enough that no text is taken for its length alone. */
const padded = (text: string): string => text + ' '.repeat(100);

test('a text exceeds its bound exactly if it has more values, however it is written', () => {
  const texts = fc.tuple(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, '\t'));
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 40 }), ([value, space], most) => {
      const text = padded(JSON.stringify(value, undefined, space));
      assert.equal(exceededBound(text, { most }) !== undefined, valuesIn(value) > most);
    }),
    { numRuns: 2000 },
  );
});

test('members with bounds of their own do not count for the rest, and the rest does not count for them', () => {
  const list = (length: number) => Array.from({ length }, () => 1);
  const exceeded = (value: unknown) => exceededBound(padded(JSON.stringify(value)), bounds)?.most;
  assert.equal(exceeded({ a: list(29), b: list(18) }), undefined);
  assert.equal(exceeded({ a: list(30), b: list(18) }), 30);
  assert.equal(exceeded({ b: list(19), a: list(29) }), 20);
  assert.equal(exceeded({ holder: { a: list(20), x: list(8) }, a: list(8) }), undefined);
  assert.equal(exceeded({ holder: { a: list(20), x: list(9) } }), 10);
  // Both members of one bound count for it.
  assert.equal(exceeded({ holder: { a: list(20) }, a: list(9) }), 30);
  // Only the outermost object has them.
  assert.equal(exceeded({ b: { a: list(19) } }), 20);
  assert.equal(exceeded([{ a: list(19) }]), 20);
});

test('a key that stands twice counts twice, also in escapes', () => {
  const many = `[${Array.from({ length: 20 }, () => '1').join(',')}]`;
  assert.equal(exceededBound(padded(`{"a":${many},"a":[1]}`), bounds), undefined);
  assert.equal(exceededBound(padded(`{"a":${many},"\\u0061":${many}}`), bounds), inner);
});

test('what is no JSON, and what is hostile, ends', () => {
  for (const text of ['"', '"\\', '{"a":"\\"', ']]]]', '}{', ',,,,', '{"a"', ':::', '\\"'.repeat(1000)]) {
    assert.doesNotThrow(() => exceededBound(padded(text), bounds));
  }
  const began = performance.now();
  assert.equal(exceededBound('['.repeat(8_000_000), { most: 50_000 })?.most, 50_000);
  assert.equal(exceededBound(`"${'\\\\'.repeat(4_000_000)}"`, { most: 50_000 }), undefined);
  assert.equal(exceededBound(`"${'\\"'.repeat(4_000_000)}"`, { most: 50_000 }), undefined);
  assert.ok(performance.now() - began < 5000);
});
