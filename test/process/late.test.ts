import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { stop } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf } from '../support/events.js';
import { gate } from '../support/gate.js';
import { startService, type Answered } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { test, type TestContext } from '../support/testing.js';

/** Decisions that come too late to be an allow: the commit was slow, or the view was behind again and again. */

const LEASE_MS = 60_000;

async function world(t: TestContext) {
  const held = gate();
  const clock = movableClock();
  const env = { SALLYPORT_LEASE_MS: String(LEASE_MS) };
  const service = await startService({ wrapLog: (log) => held.wrap(log), clock, env });
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service);
  const authorize = async (body: Answered): Promise<Answered> =>
    expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
  const attempts = async () =>
    (await eventsOf(service, `calls-${task.taskId}`)).map(({ data }) => [data.attempt, data.decision, data.reason]);
  return { held, clock, service, task, authorize, attempts };
}

test('a commit that takes longer than the lease gives a deny, although an allow was recorded', async (t) => {
  const { held, clock, task, authorize, attempts } = await world(t);
  const body = callBody(task);
  const hold = held.holdNext('calls-');
  const answer = authorize(body);
  await hold.arrived;
  clock.advance(LEASE_MS + 1);
  hold.release();
  const { decision, reason, outbound, expiresAt } = await answer;
  assert.deepEqual([decision, reason, outbound, expiresAt], ['deny', 'view_stale', undefined, undefined]);
  assert.deepEqual(await attempts(), [
    [1, 'allow', 'ok'],
    [2, 'deny', 'view_stale'],
  ]);
  assert.equal((await authorize(body)).decision, 'allow');
  assert.deepEqual((await attempts()).at(-1), [3, 'allow', 'ok']);
});

test('a commit that takes less than the lease is not too late', async (t) => {
  const { held, clock, task, authorize, attempts } = await world(t);
  const hold = held.holdNext('calls-');
  const answer = authorize(callBody(task));
  await hold.arrived;
  clock.advance(LEASE_MS / 2);
  hold.release();
  assert.equal((await answer).decision, 'allow');
  assert.deepEqual(await attempts(), [[1, 'allow', 'ok']]);
});

/** Has `times` appends of one call overtaken, each by a directive that does not concern it. */
async function overtakenTimes(t: TestContext, times: number) {
  const { held, service, task, authorize, attempts } = await world(t);
  let hold = held.holdNext('calls-');
  const answer = authorize(callBody(task));
  for (let time = 1; time <= times; time += 1) {
    await hold.arrived;
    await stop(service, { type: 'task', taskId: randomUUID() });
    const { release } = hold;
    if (time < times) hold = held.holdNext('calls-');
    release();
  }
  return { answer: await answer, attempts };
}

test('a call whose basis moved twice is decided a third time', async (t) => {
  const { answer, attempts } = await overtakenTimes(t, 2);
  assert.deepEqual([answer.decision, answer.epoch], ['allow', 2]);
  assert.deepEqual(await attempts(), [[1, 'allow', 'ok']]);
});

test('a call whose basis moved three times is denied as view_stale, and that is recorded', async (t) => {
  const { answer, attempts } = await overtakenTimes(t, 3);
  assert.deepEqual([answer.decision, answer.reason], ['deny', 'view_stale']);
  assert.deepEqual(await attempts(), [[1, 'deny', 'view_stale']]);
});
