import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { decide, stop } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf } from '../support/events.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const clock = movableClock();
let service: TestService;
before(async () => {
  service = await startService({ clock });
  await readyWorld(service);
});
after(() => service.stop());

const taskWith = (...scope: Answered[]) =>
  openTask(service, { scope: scope.map((entry) => ({ capability: 'memory', ...entry })) });
const countsOf = async (task: Answered) =>
  (await eventsOf(service, `task-${task.taskId}`)).filter(({ type }) => type === 'CallCounted');
const allowsOf = (answers: Answered[]) => answers.filter(({ decision }) => decision === 'allow');

for (const maxCalls of [0, 1, 7, 49]) {
  test(`of 50 calls at once an entry with maxCalls ${maxCalls} allows exactly ${maxCalls}`, async () => {
    const task = await taskWith({ effects: ['read'], maxCalls });
    const answers = await Promise.all(Array.from({ length: 50 }, () => decide(service, task)));
    assert.equal(allowsOf(answers).length, maxCalls);
    const denied = answers.filter(({ decision }) => decision === 'deny');
    assert.deepEqual(new Set(denied.map(({ reason }) => reason)), new Set(['outside_task_scope']));
    const counted = await countsOf(task);
    assert.deepEqual(
      counted.map(({ data }) => data.callId).sort(),
      allowsOf(answers)
        .map(({ callId }) => callId)
        .sort(),
    );
  });
}

test('repeats of one call at once are counted once, and all get the same allow', async () => {
  const task = await taskWith({ effects: ['read'], maxCalls: 2 });
  const callId = randomUUID();
  const answers = await Promise.all(Array.from({ length: 10 }, () => decide(service, task, { callId })));
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal(answers[0].decision, 'allow');
  assert.equal((await countsOf(task)).length, 1);
  assert.equal((await decide(service, task)).decision, 'allow');
  assert.equal((await decide(service, task)).reason, 'outside_task_scope');
});

test('a further attempt at a counted call is allowed though the entry is used up, and not counted again', async () => {
  const task = await taskWith({ effects: ['read'], maxCalls: 1 });
  const callId = randomUUID();
  const first = await decide(service, task, { callId });
  await stop(service, { type: 'task', taskId: task.taskId }, { lift: true });
  const second = await decide(service, task, { callId });
  assert.deepEqual([first.decision, second.decision], ['allow', 'allow']);
  clock.advance(second.leaseMs);
  assert.equal((await decide(service, task, { callId })).decision, 'allow');
  assert.equal((await countsOf(task)).length, 1);
  assert.equal((await decide(service, task)).reason, 'outside_task_scope');
});

test('a denied call is not counted', async () => {
  const task = await taskWith({ effects: ['read'], maxCalls: 1 });
  assert.equal((await decide(service, task, { arguments: {} })).reason, 'arguments_invalid');
  assert.equal((await decide(service, task, { operation: 'store' })).reason, 'outside_task_scope');
  assert.equal((await decide(service, task)).decision, 'allow');
});

test('two entries are used up one after the other', async () => {
  const task = await taskWith({ operations: ['recall'], maxCalls: 1 }, { effects: ['read'], maxCalls: 2 });
  const answers = await Promise.all(Array.from({ length: 10 }, () => decide(service, task)));
  assert.equal(allowsOf(answers).length, 3);
  const counted = await countsOf(task);
  assert.deepEqual(counted.map(({ data }) => data.entry).sort(), [0, 1, 1]);
});

test('an entry without maxCalls allows any number after one that is used up', async () => {
  const task = await taskWith({ effects: ['read'], maxCalls: 1 }, { operations: ['recall'] });
  const answers = await Promise.all(Array.from({ length: 5 }, () => decide(service, task)));
  assert.equal(allowsOf(answers).length, 5);
  assert.equal((await countsOf(task)).length, 1);
});

test('the allow and its count are one append', async () => {
  const task = await taskWith({ effects: ['read'], maxCalls: 1 });
  const { position } = await decide(service, task);
  const [count] = await countsOf(task);
  const [call] = await eventsOf(service, `calls-${task.taskId}`);
  assert.ok(count !== undefined && call !== undefined);
  assert.deepEqual([call.data.decision, call.data.counts, count.data.entry], ['allow', 0, 0]);
  assert.ok(BigInt(position) >= count.position && BigInt(position) >= call.position);
});

test('calls of two tasks are counted apart', async () => {
  const tasks = [
    await taskWith({ effects: ['read'], maxCalls: 1 }),
    await taskWith({ effects: ['read'], maxCalls: 1 }),
  ];
  for (const task of tasks) assert.equal((await decide(service, task)).decision, 'allow');
  const closed = await service.call('host', 'POST', `/v1/tasks/${tasks[0].taskId}/close`, {});
  expecting(200, closed);
  assert.equal((await decide(service, tasks[0])).reason, 'task_closed');
});
