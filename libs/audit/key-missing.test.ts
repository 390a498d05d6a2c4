import assert from 'node:assert/strict';
import { damaged, forged, makeWorld, replayOf, traceOf, withEvents } from '../../test/support/audit-world.js';
import type { RecordedEvent } from '../event-log/port.js';
import { test } from '../../test/support/testing.js';

const isDecision = ({ type }: RecordedEvent) => type === 'CallDecided';

test('a key that is gone without a TaskShredded is missing: nothing is identical, and nothing else is hidden', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  await world.authorize(taskId, { operation: 'write' });
  await world.keys.shred(taskId);
  const { identical, calls } = await replayOf(world, traceId);
  assert.deepEqual([identical, ...calls.map((call) => call.identical)], [false, 'key_missing', 'key_missing']);
  for (const { recorded, redecided } of calls) assert.deepEqual(redecided, recorded);
  const { tasks, calls: evidence } = (await traceOf(world, traceId)) ?? assert.fail();
  assert.deepEqual([tasks[0]?.purpose, tasks[0]?.user.attributes], ['key_missing', 'key_missing']);
  assert.deepEqual([evidence[0]?.outbound, evidence[1]?.outbound], ['key_missing', null]);
  const edited = withEvents(world.log, (event) =>
    isDecision(event) ? forged(event, (data) => ({ ...data, reason: 'disabled', decision: 'deny' })) : event,
  );
  assert.deepEqual(
    (await replayOf(world, traceId, edited)).calls.map((call) => call.identical),
    [false, false],
  );
});

test('a TaskShredded that was edited or moved excuses no missing key', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  await world.shred(taskId);
  const isShredding = ({ type }: { type: string }) => type === 'TaskShredded';
  const without = withEvents(world.log, (event) => (isShredding(event) ? undefined : event));
  assert.equal((await replayOf(world, traceId, without)).calls[0]?.identical, 'key_missing');
  const flipped = withEvents(world.log, (event) =>
    isShredding(event) ? damaged(event, '"cause":"task"', '"cause":"user"') : event,
  );
  const flippedReplay = await replayOf(world, traceId, flipped);
  assert.deepEqual([flippedReplay.identical, flippedReplay.calls[0]?.identical], [false, 'key_missing']);
});
