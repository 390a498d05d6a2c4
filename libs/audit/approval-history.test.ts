import assert from 'node:assert/strict';
import type { EventLog } from '../event-log/port.js';
import { forged, makeWorld, must, withEvents, type World } from '../../test/support/audit-world.js';
import { test } from '../../test/support/testing.js';

const GUARDED = { approve: { effects: ['read' as const], by: 'other' as const } };
const identical = async (world: World, traceId: string, log?: EventLog) => {
  await world.caughtUp();
  const replay = must(await world.audit(log).replay(traceId));
  return replay?.calls.map((call) => ('identical' in call ? call.identical : 'damaged'));
};

test('an allow that rests on the approval of another content is not identical', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open(GUARDED);
  const ids: string[] = [];
  for (const key of ['one', 'two']) {
    const { approval } = await world.authorize(taskId, { arguments: { key } });
    ids.push(approval?.id ?? '');
    await world.grant(taskId, approval?.id ?? '');
  }
  await world.authorize(taskId, { arguments: { key: 'one' } });
  assert.deepEqual(await identical(world, traceId), [true, true, true]);
  const allow = (change: (data: Record<string, unknown>) => Record<string, unknown>) =>
    withEvents(world.log, (event) => (event.json.includes('"decision":"allow"') ? forged(event, change) : event));
  const other = allow((data) => ({ ...data, approval: ids[1] }));
  assert.deepEqual(await identical(world, traceId, other), [true, true, false]);
  const none = allow(({ approval: _, ...data }) => data);
  assert.deepEqual(await identical(world, traceId, none), [true, true, false]);
});

test('an allow whose grant is gone from the log, or was a denial, is not identical', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open(GUARDED);
  const { approval } = await world.authorize(taskId);
  await world.grant(taskId, approval?.id ?? '');
  await world.authorize(taskId);
  assert.deepEqual(await identical(world, traceId), [true, true]);
  const denied = withEvents(world.log, (event) =>
    event.type === 'ApprovalDecided' ? forged(event, (data) => ({ ...data, verdict: 'denied' })) : event,
  );
  assert.deepEqual(await identical(world, traceId, denied), [true, false]);
  const damaged = withEvents(world.log, (event) =>
    event.type === 'ApprovalDecided' ? { ...event, json: event.json.replace('granted', 'denied_') } : event,
  );
  assert.deepEqual((await identical(world, traceId, damaged))?.includes(false), true);
});

test('a policy that asked for an approval is not asked again once the content is erased', async (t) => {
  const world = await makeWorld(t);
  await world.putPolicy('@id("ask") @approval("other") permit(principal, action, resource);');
  const { taskId, traceId } = await world.open();
  const { approval } = await world.authorize(taskId);
  assert.deepEqual(approval?.why, ['policy']);
  await world.grant(taskId, approval?.id ?? '');
  await world.authorize(taskId);
  await world.authorize(taskId);
  assert.deepEqual(await identical(world, traceId), [true, true, true]);
  await world.shred(taskId);
  assert.deepEqual(await identical(world, traceId), ['shredded', 'shredded', 'shredded']);
});
