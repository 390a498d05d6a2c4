import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { SealedEvent } from '../../event.js';
import { WaitingAppends, type Waiting } from './waiting-appends.js';
import { test } from '../../../../test/support/testing.js';

interface Shape {
  readonly writes: readonly string[];
  readonly checks: readonly string[];
  readonly urgent: boolean;
}

const waitingOf = ({ writes, checks, urgent }: Shape): Waiting => ({
  batch: {
    writes: writes.map((stream) => ({ stream, expected: 0, events: [{} as SealedEvent] })),
    checks: checks.map((stream) => ({ stream, expected: 0 })),
    ...(urgent ? { urgent } : {}),
  },
  weight: 1,
  cell: 0,
  resolve: () => undefined,
});

const streams = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'directives'), { maxLength: 3 });
const shapes = fc.record({ writes: streams, checks: streams, urgent: fc.boolean() });

test('what is urgent comes before all others, but behind what writes its streams; all others keep their order', () => {
  fc.assert(
    fc.property(fc.array(shapes, { maxLength: 30 }), (asked) => {
      const waiting = new WaitingAppends();
      const all = asked.map(waitingOf);
      for (const each of all) waiting.add(each);
      const order = waiting.takeAll();
      assert.deepEqual(new Set(order), new Set(all));
      for (const [at, later] of all.entries()) {
        const mine = new Set([...later.batch.writes, ...later.batch.checks].map(({ stream }) => stream));
        for (const earlier of all.slice(0, at)) {
          const overtook = order.indexOf(later) < order.indexOf(earlier);
          if (!overtook) continue;
          assert.ok(later.batch.urgent === true && earlier.batch.urgent !== true);
          assert.ok(!earlier.batch.writes.some(({ stream }) => mine.has(stream)));
        }
      }
      assert.deepEqual([waiting.length, waiting.events], [0, 0]);
    }),
    { numRuns: 500 },
  );
});

test('many appends that rest on a large one do not hold up one that does not', () => {
  const waiting = new WaitingAppends();
  const plain = { writes: ['a'], checks: [], urgent: false };
  waiting.add({ ...waitingOf(plain), parted: { token: 1, payload: new Uint8Array(6_000_000), given: 0 } });
  for (let each = 0; each < 300; each += 1) waiting.add(waitingOf(plain));
  const free = waitingOf({ ...plain, writes: ['b'] });
  waiting.add(free);
  assert.ok(waiting.takeGroup().some(({ append, part }) => append === free && part === undefined));
});

test('one that rests on nothing that waits is the first', () => {
  const waiting = new WaitingAppends();
  const plain = { writes: ['a'], checks: ['directives'], urgent: false };
  for (let each = 0; each < 40; each += 1) waiting.add(waitingOf(plain));
  const stop = waitingOf({ writes: ['directives'], checks: ['b'], urgent: true });
  waiting.add(stop);
  assert.ok(waiting.startsUrgently);
  const [first] = waiting.takeGroup();
  assert.equal(first?.append, stop);
});
