import assert from 'node:assert/strict';
import { parseEvent } from '../event-log/event.js';
import { MemoryLog } from '../event-log/memory/memory-log.js';
import { settledLog } from '../event-log/settled.js';
import { systemClock } from '../kernel/time.js';
import { relayEventSchemas } from '../streams/relay-events.js';
import { RelayLease, LeaseLost } from './relay-lease.js';
import { test } from '../../test/support/testing.js';

/** The fence: one stream, one writer, and whoever is not it any more is refused. */

const TIME = { now: () => '2026-11-23T02:00:00.000Z' };
const [ONE, TWO] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'] as const;

function ground() {
  const memory = new MemoryLog();
  const log = settledLog(memory, { clock: systemClock });
  return { memory, log, lease: (holder: string) => new RelayLease(log, 'events', holder, TIME) };
}

test('is taken, moves on, and says where the next one begins', async () => {
  const { log, lease } = ground();
  const one = lease(ONE);
  await one.refresh();
  assert.deepEqual([one.isHeld, one.isMine, one.position], [false, false, 0n]);
  assert.ok(await one.take());
  await one.checkpoint(2n ** 60n);
  await one.check();
  const two = lease(TWO);
  await two.refresh();
  assert.deepEqual([two.isHeld, two.isMine, two.position], [true, false, 2n ** 60n]);
  for (const { json, stream } of await log.readAll({ after: 0n })) {
    const { type, data } = parseEvent(json) as { type: keyof typeof relayEventSchemas; data: unknown };
    assert.equal(stream, 'relay-events');
    relayEventSchemas[type].parse(data);
  }
});

test('whoever lost it is refused, by each word that it says', async () => {
  const { lease } = ground();
  const [one, two] = [lease(ONE), lease(TWO)];
  assert.ok(await one.take());
  await two.refresh();
  assert.ok(await two.take());
  await assert.rejects(one.check(), LeaseLost);
  await assert.rejects(one.checkpoint(7n), LeaseLost);
  await one.refresh();
  assert.deepEqual([one.isMine, one.position], [false, 0n], 'the refused progress is nowhere');
});

test('of two who take it at once one gets it', async () => {
  const { lease } = ground();
  const [one, two] = [lease(ONE), lease(TWO)];
  assert.deepEqual((await Promise.all([one.take(), two.take()])).sort(), [false, true]);
});

test('one who does not know what became of its word reads it in the log', async () => {
  const { memory, lease } = ground();
  const one = lease(ONE);
  memory.failNext('persisted', 'persisted');
  assert.ok(await one.take());
  const again = lease(ONE);
  await again.refresh();
  assert.ok(again.isMine);
});

test('an event of another holder after one own shows that the lane is lost, an earlier one does not', async () => {
  const { log, lease } = ground();
  const [one, two] = [lease(ONE), lease(TWO)];
  await one.take();
  await two.refresh();
  await two.take();
  const [first, second] = await log.read('relay-events');
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual([one.isOvertakenBy(first), one.isOvertakenBy(second)], [false, true]);
  assert.deepEqual([two.isOvertakenBy(first), two.isOvertakenBy(second)], [false, false]);
});
