import assert from 'node:assert/strict';
import { test } from '../../test/support/testing.js';
import { Backoff } from './backoff.js';

test('waits double up to their limit, each within the upper half of its step, and begin again after a reset', () => {
  const backoff = new Backoff(50, 300);
  const steps = [50, 100, 200, 300, 300];
  for (let round = 0; round < 100; round += 1) {
    for (const stepMs of steps) {
      const waitMs = backoff.nextMs();
      assert.ok(waitMs >= stepMs / 2 && waitMs <= stepMs, `${waitMs} of ${stepMs}`);
    }
    backoff.reset();
  }
});
