import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogUnavailable, type EventLog } from '#libs/event-log/port.js';
import { makeWorld, tampered, type World } from '../../test/support/audit-world.js';
import { warmAudit } from './warm.js';

const warm = (world: World, log: EventLog = world.log) =>
  warmAudit(log, world.keys, world.engines, world.index, world.now());

test('before the first allow there is nothing to warm up with', async (t) => {
  const world = await makeWorld(t);
  assert.equal(await warm(world), 0);
  const { taskId } = await world.open();
  await world.authorize(taskId, { operation: 'unheard-of' });
  assert.equal(await warm(world), 0);
});

test('the newest allow is decided again, its content opened, a bounded number of times', async (t) => {
  const world = await makeWorld(t);
  const { taskId } = await world.open();
  await world.authorize(taskId);
  await world.caughtUp();
  const opened: string[] = [];
  const log = tampered(world.log, {
    payloads: (places) => {
      opened.push(...places.map(({ stream }) => stream));
      return world.log.payloads(places);
    },
  });
  const rounds = await warm(world, log);
  assert.ok(rounds > 0 && rounds <= 12, String(rounds));
  assert.deepEqual(new Set(opened), new Set([`task-${taskId}`, `calls-${taskId}`]));
});

test('what is too large or cannot be read does not keep the service from starting', async (t) => {
  const world = await makeWorld(t);
  const { taskId } = await world.open();
  for (let call = 0; call < 200; call += 1) await world.authorize(taskId);
  await world.caughtUp();
  assert.equal(await warm(world), 0);
  const read: EventLog['read'] = () => Promise.reject(new LogUnavailable('an ordered fault'));
  assert.equal(await warm(world, tampered(world.log, { read })), 0);
});
