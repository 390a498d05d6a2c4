import assert from 'node:assert/strict';
import { TokenBucket } from './token-bucket.js';
import { test } from '../../test/support/testing.js';

test('a bucket lets its capacity through at once, and its rate after that', () => {
  let nowMs = 0;
  const bucket = new TokenBucket(3, 10, () => nowMs);
  const taken = (tries: number) => Array.from({ length: tries }, () => bucket.take()).filter(Boolean).length;
  assert.equal(taken(5), 3);
  nowMs += 200;
  assert.equal(taken(5), 2);
  nowMs += 3_600_000;
  assert.equal(taken(5), 3);
});

test('a bucket gives an amount as a whole or not at all', () => {
  let nowMs = 0;
  const bucket = new TokenBucket(10, 1, () => nowMs);
  assert.ok(!bucket.take(11));
  assert.ok(bucket.take(8));
  assert.ok(!bucket.take(3));
  assert.ok(bucket.has(2) && !bucket.has(3));
  nowMs += 1000;
  assert.ok(bucket.take(3));
  assert.ok(bucket.take(0) && !bucket.has(1));
});
