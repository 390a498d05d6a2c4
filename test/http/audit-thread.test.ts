import assert from 'node:assert/strict';
import type { Worker } from 'node:worker_threads';
import type { EventLog } from '../../libs/event-log/port.js';
import { addPrincipal } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { gate } from '../support/gate.js';
import { startService, type Answer, type Answered } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { test } from '../support/testing.js';

const PATHS = (traceId: string) => [
  `/v1/audit/traces/${traceId}`,
  `/v1/audit/traces/${traceId}/replay`,
  '/v1/audit/calls',
  '/v1/audit/tasks',
  '/v1/audit/events',
];

test('the deciding thread reads no evidence: it passes the requests of auditors on', async (t) => {
  const read: string[] = [];
  let watching = false;
  const wrapLog = (log: EventLog): EventLog => {
    const noted = <Args extends unknown[], Answered>(name: string, method: (...args: Args) => Answered) => {
      return (...args: Args): Answered => {
        if (watching) read.push(name);
        return method(...args);
      };
    };
    return {
      ...gate().wrap(log),
      read: noted('read', (...asked) => log.read(...asked)),
      readAll: noted('readAll', (options) => log.readAll(options)),
      payload: noted('payload', (...place) => log.payload(...place)),
      payloads: noted('payloads', (places) => log.payloads(places)),
    };
  };
  const service = await startService({ wrapLog });
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service);
  assert.equal((await decide(service, task)).decision, 'allow');
  watching = true;
  for (const path of PATHS(task.traceId)) {
    const answered = expecting(200, await service.call('auditor', 'GET', path));
    assert.ok(
      Object.values<Answered>(answered).some((member) => Array.isArray(member) && member.length > 0),
      path,
    );
  }
  assert.deepEqual(read, []);
});

test('an auditor sees what was committed before the request', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service);
  for (let count = 1; count <= 20; count += 1) {
    assert.equal((await decide(service, task)).decision, 'allow');
    const [trace, calls] = await Promise.all([
      service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}`),
      service.call('auditor', 'GET', `/v1/audit/calls?task=${task.taskId}`),
    ]);
    assert.deepEqual([expecting(200, trace).calls.length, expecting(200, calls).items.length], [count, count]);
  }
});

test('auditors take turns: one that asks all the time does not hold up another', async (t) => {
  const held = Promise.withResolvers<void>();
  const looks: PromiseWithResolvers<void>[] = Array.from({ length: 9 }, () => Promise.withResolvers());
  let looked = 0;
  let watching = false;
  const wrapLog = (log: EventLog): EventLog => ({
    ...gate().wrap(log),
    async end() {
      if (watching) {
        looks[looked]?.resolve();
        looked += 1;
        await held.promise;
      }
      return log.end();
    },
  });
  const service = await startService({ wrapLog });
  t.after(() => service.stop());
  await readyWorld(service);
  const other = await addPrincipal(service, ['auditor']);
  const { audit } = service.service;
  const order: string[] = [];
  const ask = audit.ask.bind(audit);
  audit.ask = async (auditor, request) => {
    const answer = await ask(auditor, request);
    order.push(auditor);
    return answer;
  };
  // The thread is there: nothing waits for its start.
  expecting(200, await service.call('auditor', 'GET', '/v1/audit/events'));
  order.length = 0;
  watching = true;
  const looping = Array.from({ length: 8 }, () => service.call('auditor', 'GET', '/v1/audit/events'));
  await looks[7]?.promise;
  const once = service.call(other, 'GET', '/v1/audit/events');
  await looks[8]?.promise;
  held.resolve();
  for (const answer of await Promise.all([...looping, once])) expecting(200, answer);
  // Two of the first auditor were in the thread before the other one could ask.
  assert.ok(order.indexOf(other.name) <= 3, order.join(' '));
});

test('if the thread of auditors dies, their requests get a problem, and the next ones a new thread', async (t) => {
  const workers: Worker[] = [];
  const onWorker = (worker: Worker) => workers.push(worker);
  process.on('worker', onWorker);
  t.after(() => process.off('worker', onWorker));
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service);
  assert.equal((await decide(service, task)).decision, 'allow');
  const path = `/v1/audit/traces/${task.traceId}`;
  const before = expecting(200, await service.call('auditor', 'GET', path));
  // A log starts its writer and its reader, then come the index and this thread.
  const [, , , thread] = workers;
  assert.ok(thread !== undefined);
  const asked = Array.from({ length: 8 }, () => service.call('auditor', 'GET', path));
  await thread.terminate();
  const answers: Answer[] = await Promise.all(asked);
  for (const { status, body } of answers) {
    if (status !== 200) assert.deepEqual([status, body.code], [503, 'log_unavailable']);
  }
  assert.equal((await decide(service, task)).decision, 'allow');
  const after = expecting(200, await service.call('auditor', 'GET', path));
  assert.equal(after.calls.length, before.calls.length + 1);
});
