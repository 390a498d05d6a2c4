import assert from 'node:assert/strict';
import { PositionGate } from './position-gate.js';
import { test } from '../../test/support/testing.js';

test('so many may wait for a position; who comes then is told at once that it is not there', async () => {
  const gate = new PositionGate();
  const waiting = Array.from({ length: 2048 }, () => gate.waitFor(5n, 60_000));
  assert.equal(await gate.waitFor(5n, 60_000), false);
  gate.advance(5n);
  assert.ok((await Promise.all(waiting)).every(Boolean));
  assert.equal(await gate.waitFor(5n, 0), true);
  const next = gate.waitFor(6n, 60_000);
  gate.advance(6n);
  assert.equal(await next, true);
});
