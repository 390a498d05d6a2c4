import assert from 'node:assert/strict';
import { ReaderBackoff, type Attempt } from './reader-backoff.js';
import { test } from '../../test/support/testing.js';

/** Who follows a topic comes back soon where brokers fail, and rarely where the topic itself does. */

const attempt = (load: Attempt['load'], heardNews = false): Attempt => ({ load, heardNews });

test('brokers that are away are asked again soon, however often', () => {
  const backoff = new ReaderBackoff(1_000);
  for (let count = 0; count < 100; count += 1) assert.equal(backoff.after(attempt('none')), 250);
  assert.equal(backoff.after(attempt('done', true)), 250);
});

test('a topic that cannot be taken in is read again ever more rarely, until it can', () => {
  const backoff = new ReaderBackoff(1_000);
  const refused = (): number => backoff.after(attempt('refused'));
  assert.deepEqual(Array.from({ length: 9 }, refused), [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assert.equal(backoff.after(attempt('none')), 250);
  assert.equal(refused(), 30_000, 'brokers that were away say nothing of the topic');
  assert.equal(backoff.after(attempt('done')), 250);
  assert.deepEqual([refused(), refused()], [250, 500]);
});

test('a topic in which nobody writes is given longer, one with news its three beats', () => {
  const backoff = new ReaderBackoff(1_000);
  const silence = (heardNews: boolean): number => (backoff.after(attempt('done', heardNews)), backoff.silenceMs);
  assert.equal(backoff.silenceMs, 3_000);
  assert.deepEqual(
    [false, false, false, false, false, true].map(silence),
    [6000, 12_000, 24_000, 30_000, 30_000, 3000],
  );
});
