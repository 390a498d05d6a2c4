import assert from 'node:assert/strict';
import { withLog, type FaultName, type MakeLog } from './log-under-test.js';
import { batch, committed, dataOf, write } from './facts.js';
import { test } from '../support/testing.js';

interface FaultCase {
  readonly fault: FaultName;
  readonly answer: 'unknown' | 'unwritten' | 'refused';
  /** Events of the stream after the fault. */
  readonly progress: number;
  /** The answer to the identical batch when it is sent again, and to another one at the same revision. */
  readonly identical: 'committed';
  readonly other: 'committed' | 'refused';
}

const CASES: readonly FaultCase[] = [
  { fault: 'failed', answer: 'unknown', progress: 0, identical: 'committed', other: 'committed' },
  { fault: 'persisted', answer: 'unknown', progress: 1, identical: 'committed', other: 'refused' },
  { fault: 'untaken', answer: 'unwritten', progress: 0, identical: 'committed', other: 'committed' },
  { fault: 'refused', answer: 'refused', progress: 0, identical: 'committed', other: 'committed' },
];

export function faults(makeLog: MakeLog): void {
  for (const { fault, answer, progress, identical, other } of CASES) {
    const on = (name: string, body: Parameters<typeof withLog>[1]) => test(`${fault}: ${name}`, withLog(makeLog, body));
    const first = batch([write('calls-1', 0, 'allow')]);

    on(`answers ${answer}, with ${progress} written`, async (log, { failNext }) => {
      failNext?.(fault);
      assert.equal((await log.append(first)).kind, answer);
      assert.equal(await log.head('calls-1'), progress);
    });

    on(`the identical batch is ${identical}, and stands once`, async (log, { failNext }) => {
      failNext?.(fault);
      await log.append(first);
      assert.equal((await log.append(first)).kind, identical);
      assert.deepEqual((await log.read('calls-1')).map(dataOf), ['allow']);
    });

    on(`another batch at the same revision is ${other}`, async (log, { failNext }) => {
      failNext?.(fault);
      await log.append(first);
      assert.equal((await log.append(batch([write('calls-1', 0, 'deny')]))).kind, other);
    });

    on('mere checks learn whether its streams have moved, and write nothing', async (log, { failNext }) => {
      failNext?.(fault);
      await log.append(first);
      const probe = await log.append(batch([], [{ stream: 'calls-1', expected: 0 }]));
      assert.equal(probe.kind, progress === 0 ? 'committed' : 'refused');
      assert.equal(await log.head('calls-1'), progress);
    });

    on('only that append is hit', async (log, { failNext }) => {
      failNext?.(fault);
      const [hit, next] = await Promise.all([log.append(first), log.append(batch([write('calls-2', 0, 'allow')]))]);
      assert.equal(hit?.kind, answer);
      assert.equal(next?.kind, 'committed');
      await committed(log, write('calls-3', 0, 'allow'));
    });
  }
}
