import assert from 'node:assert/strict';
import { Gate } from './gate.js';
import { test } from '../../../test/support/testing.js';

/** A gate on a clock that only the test moves, with work that ends on demand. */
function stage(maxInFlight: number) {
  let nowMs = 0;
  const gate = new Gate({ clock: { monotonicMs: () => nowMs }, maxInFlight, maxWaitMs: 100 });
  const ends: (() => void)[] = [];
  const begin = (): Promise<void> => gate.run(() => new Promise<void>((resolve) => ends.push(resolve)));
  return {
    gate,
    begin,
    async end(count = 1) {
      for (const end of ends.splice(0, count)) end();
      await new Promise(setImmediate);
    },
    pass: (ms: number) => (nowMs += ms),
  };
}

const overloaded = { code: 'overloaded' };

test('so many are let in and no more, and each that ends makes room', async () => {
  const { gate, begin, end } = stage(100);
  const running = Array.from({ length: 100 }, begin);
  await assert.rejects(begin(), overloaded);
  assert.throws(() => gate.refuseIfFull(), overloaded);
  assert.deepEqual([gate.inFlight, gate.refused], [100, 2]);
  await end();
  running.push(begin());
  await assert.rejects(begin(), overloaded);
  await end(100);
  await Promise.all(running);
  assert.equal(gate.inFlight, 0);
  gate.refuseIfFull();
});

test('while nothing is finished any more, all but a few are refused at once', async () => {
  const { begin, end, pass } = stage(100);
  const running = Array.from({ length: 20 }, begin);
  pass(1000);
  await assert.rejects(begin(), overloaded);
  // After such a slow piece of work, the next ones are expected to be slow too.
  await end();
  await assert.rejects(begin(), overloaded);
  await end(8);
  running.push(begin());
  await end(12);
  pass(1);
  await end(100);
  await Promise.all(running);
});

test('stragglers among many that are quick close nothing', async () => {
  const { gate, begin, end, pass } = stage(100);
  const running = Array.from({ length: 20 }, begin);
  for (let round = 0; round < 50; round += 1) {
    pass(10);
    await gate.run(() => Promise.resolve());
  }
  await end(100);
  await Promise.all(running);
});

test('a gate that was idle for long is not closed by that', async () => {
  const { begin, end, pass } = stage(100);
  const first = begin();
  pass(10_000);
  await end();
  await first;
  pass(10_000);
  const running = Array.from({ length: 50 }, begin);
  await end(50);
  await Promise.all(running);
});

test('work that fails makes room as well', async () => {
  const { gate } = stage(4);
  await assert.rejects(
    gate.run(() => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(gate.inFlight, 0);
});
