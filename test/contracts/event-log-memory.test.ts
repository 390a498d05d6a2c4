import assert from 'node:assert/strict';
import { MemoryLog } from '../../libs/event-log/memory/memory-log.js';
import { eventLogContract } from './event-log.js';
import { committed, write } from './facts.js';
import { test } from '../support/testing.js';

eventLogContract(
  'memory',
  async (options) => {
    const log = new MemoryLog(options);
    return { log, failNext: (fault) => log.failNext(fault), dispose: () => log.close() };
  },
  { orderFaults: true },
);

test('the memory log is nasty: positions above 2^53, with gaps, one for a whole batch', async () => {
  const log = new MemoryLog();
  const first = await committed(log, write('a-1', 0, 1, 2), write('b-1', 0, 1));
  const second = await committed(log, write('a-1', 2, 3));
  assert.ok(first > BigInt(Number.MAX_SAFE_INTEGER));
  assert.ok(second > first + 1n);
  const positions = (await log.readAll({ after: 0n, limit: 1 })).map(({ position }) => position);
  assert.deepEqual(positions, [first, first, first]);
  await log.close();
});

test('a held append holds those behind it', async () => {
  const log = new MemoryLog();
  let release: (() => void) | undefined;
  log.failNext({ kind: 'held', until: new Promise<void>((resolve) => (release = resolve)) });
  const sent = [committed(log, write('a-1', 0, 1)), committed(log, write('b-1', 0, 1))];
  assert.equal(await log.end(), 0n);
  release?.();
  await Promise.all(sent);
  assert.equal((await log.readAll({ after: 0n })).length, 2);
  await log.close();
});
