import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rate } from './rate.js';
import { Shares } from './shares.js';

test('there is no more than there is, and one name gets half of it', () => {
  const shares = new Shares(10);
  assert.ok(shares.take('a', 5));
  assert.ok(!shares.take('a', 1));
  assert.ok(shares.take('b', 5));
  assert.ok(!shares.take('c', 1));
  assert.deepEqual([shares.inUse, shares.refused], [10, 2]);
  shares.giveBack('a', 5);
  assert.ok(shares.take('c', 1));
  shares.giveBack('b', 5);
  shares.giveBack('c', 1);
  assert.equal(shares.inUse, 0);
});

test('a rate lets so many through at once, and so many a second after that', () => {
  let nowMs = 0;
  const rate = new Rate(3, 10, () => nowMs);
  const taken = (tries: number) => Array.from({ length: tries }, () => rate.take()).filter(Boolean).length;
  assert.equal(taken(5), 3);
  nowMs += 200;
  assert.equal(taken(5), 2);
  nowMs += 3_600_000;
  assert.equal(taken(5), 3);
});
