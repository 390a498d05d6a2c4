import assert from 'node:assert/strict';
import { test } from '../support/testing.js';
import { evaluateSecrets } from './secrets.js';
import { wilson, type Share } from './wilson.js';

const BAR = 0.95;

test('each kind of secret is found in every carrier, and nothing else is', () => {
  const isBelow = ({ hits, of }: Share): boolean => of > 0 && hits / of < BAR;
  const rows = evaluateSecrets();
  assert.ok(rows.length > 150);
  assert.deepEqual(
    rows.filter(({ recall, precision }) => isBelow(recall) || isBelow(precision)),
    [],
  );
});

test('intervals are those of Wilson', () => {
  const { low, high } = wilson(8, 10);
  assert.equal(low.toFixed(3), '0.490');
  assert.equal(high.toFixed(3), '0.943');
  assert.equal(wilson(20, 20).low.toFixed(3), '0.839');
  assert.deepEqual(wilson(0, 0), { hits: 0, of: 0, low: 0, high: 1 });
});
