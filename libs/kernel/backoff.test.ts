import assert from 'node:assert/strict';
import { Backoff } from './backoff.js';
import { test } from '../../test/support/testing.js';

test('waits double up to the bound, and start again after a success', () => {
  const backoff = new Backoff(100, 500);
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => backoff.nextMs()),
    [100, 200, 400, 500, 500],
  );
  backoff.reset();
  assert.equal(backoff.nextMs(), 100);
});
