import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { EventLog } from '../../libs/event-log/port.js';
import { GrpcHost, refusal } from '../grpc/client.js';
import { place } from '../process/child.js';
import { appendingBy, writesTo } from '../process/logs.js';
import { stop } from '../support/calls.js';
import { eventsOf } from '../support/events.js';
import { gate } from '../support/gate.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld, taskBody } from '../support/world.js';
import { metrics, offer } from './load.js';
import { test, type TestContext } from '../support/testing.js';

/** The service receives more requests than it can answer. */

const GAUGES = [
  'sallyport_calls_in_flight',
  'sallyport_body_bytes',
  'sallyport_append_queue_batches',
  'sallyport_append_queue_bytes',
  'sallyport_audit_queries_in_flight',
  'sallyport_grpc_calls',
];

async function idle(service: Parameters<typeof metrics>[0]): Promise<void> {
  const endMs = performance.now() + 5000;
  for (;;) {
    const values = await metrics(service, GAUGES);
    if (values.every((value) => value === 0)) return;
    assert.ok(performance.now() < endMs, GAUGES.map((name, index) => `${name} ${values[index]}`).join());
    await pause(100);
  }
}

test('a process that is asked far more than its bound refuses the rest quickly, and is as it was afterwards', async (t) => {
  const service = await place(t).start({ env: { SALLYPORT_CALLS_IN_FLIGHT: '8' } });
  await readyWorld(service);
  const tasks = await Promise.all(Array.from({ length: 8 }, () => openTask(service)));
  const before = await offer(service, tasks, 4, 500);
  assert.equal(before.answers.length, before.with(200).length);

  const over = await offer(service, tasks, 48, 2000);
  const [served, turnedAway] = [over.with(200), over.with(429)];
  t.diagnostic(
    `served ${served.length}, p99 ${over.p99Ms(200)} ms; refused ${turnedAway.length}, p99 ${over.p99Ms(429)} ms`,
  );
  assert.equal(served.length + turnedAway.length, over.answers.length);
  assert.ok(served.length > 20 && turnedAway.length > 20, `${served.length} served, ${turnedAway.length} refused`);
  for (const { answer } of turnedAway) {
    refused(429, 'overloaded', answer);
    assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  }
  // Generous: the clients take of the same two cores.
  assert.ok(over.p99Ms(200) < 3000, `${over.p99Ms(200)}`);
  assert.ok(over.p99Ms(429) < 3000, `${over.p99Ms(429)}`);

  await idle(service);
  const after = await offer(service, tasks, 4, 500);
  assert.equal(after.answers.length, after.with(200).length);
  assert.ok(after.p99Ms(200) < 10 * before.p99Ms(200) + 50, `${before.p99Ms(200)} before, ${after.p99Ms(200)} after`);

  const recorded = new Set<string>();
  for (const { traceId } of tasks) {
    const { events } = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}`));
    for (const { type, data } of events) if (type === 'CallDecided') recorded.add(data.callId);
  }
  const asked = [before, over, after];
  const allowed = asked.flatMap((each) => each.with(200).filter(({ answer }) => answer.body.decision === 'allow'));
  assert.deepEqual(
    allowed.filter(({ body }) => !recorded.has(body.callId)).map(({ body }) => body.callId),
    [],
  );
  assert.equal(
    recorded.size,
    asked.reduce((sum, each) => sum + each.with(200).length, 0),
    'what was refused was decided',
  );
});

const BOUND = 32;

/** A service whose gate holds this many requests already, until they are released. */
async function busy(t: TestContext, held: number) {
  const env = { SALLYPORT_CALLS_IN_FLIGHT: String(BOUND), SALLYPORT_CALL_WAIT_MS: '60000' };
  const service = await startService({ env });
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service);
  const letGo = Promise.withResolvers<void>();
  const holding = Array.from({ length: held }, () => service.service.bounds.calls.run(() => letGo.promise));
  return {
    service,
    task,
    held: letGo.promise,
    async letGo() {
      letGo.resolve();
      await Promise.all(holding);
    },
  };
}

const authorize = (service: TestService, task: Answered) =>
  service.call('host', 'POST', '/v1/calls/authorize', callBody(task));

test('past the bound all that hosts ask is a 429, before its body is read; a stop still goes through', async (t) => {
  const { service, task, letGo } = await busy(t, BOUND);
  const { callId } = callBody(task);
  for (const [path, body] of [
    ['/v1/calls/authorize', callBody(task)],
    ['/v1/calls/authorize', '{ what is no JSON'],
    [`/v1/calls/${callId}/response`, { taskId: task.taskId, result: {} }],
    [`/v1/calls/${callId}/outcome`, { taskId: task.taskId, status: 'unknown' }],
    ['/v1/tasks', taskBody()],
    ['/v1/capabilities/memory/versions/1.0.0/observations', {}],
  ] as const) {
    const answer = await service.call('host', 'POST', path, body);
    refused(429, 'overloaded', answer);
    assert.equal(answer.headers.get('retry-after'), '1');
  }
  assert.equal((await eventsOf(service, `calls-${task.taskId}`)).length, 0);
  // A stop is not among the requests that wait.
  const lift = await stop(service, { type: 'all' });
  await lift();
  await letGo();
  await idle(service);
  assert.equal(expecting(200, await authorize(service, task)).decision, 'allow');
});

test('a task can be closed however much is under way', async (t) => {
  const { service, task, letGo } = await busy(t, BOUND);
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${task.taskId}/close`, {}));
  await letGo();
});

test('over gRPC the rest is RESOURCE_EXHAUSTED, in a stream in its place', async (t) => {
  const free = 10;
  const { service, task, held, letGo } = await busy(t, BOUND - free);
  const host = new GrpcHost(service);
  t.after(() => host.close());
  const stream = host.stream('host');
  stream.ask(Array.from({ length: BOUND }, () => callBody(task)));
  const answers = (await stream.next()) ?? [];
  assert.deepEqual(
    answers.map(({ decision, problem }) => decision?.decision ?? problem.code),
    Array.from({ length: BOUND }, (_, index) => (index < free ? 'allow' : 'overloaded')),
  );
  assert.equal((await eventsOf(service, `calls-${task.taskId}`)).length, free);
  const rest = Array.from({ length: free }, () => service.service.bounds.calls.run(() => held));
  const given = await refusal(host.call('host', 'Decisions/Authorize', callBody(task)));
  assert.deepEqual([given.status, given.code], [status.RESOURCE_EXHAUSTED, 'overloaded']);
  await letGo();
  await Promise.all(rest);
  stream.call.end();
  assert.equal(await stream.next(), undefined);
  await idle(service);
});

test('behind a log that takes nothing all but a few are refused, and all is well once it goes on', async (t) => {
  let stalled: { promise: Promise<void>; resolve: () => void } | undefined;
  const waitMs = 100;
  const service = await startService({
    env: { SALLYPORT_CALL_WAIT_MS: String(waitMs) },
    wrapLog: (log) =>
      appendingBy(log, async (batch, append) => {
        if (writesTo(batch, 'calls-')) await stalled?.promise;
        return append(batch);
      }),
  });
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service);
  stalled = Promise.withResolvers<void>();
  const asked = await Promise.all(Array.from({ length: 100 }, (_, index) => pause(index * 5).then(ask)));
  stalled.resolve();
  stalled = undefined;
  const codes = asked.map(({ status: given, body }) => `${given} ${body.code}`);
  // Those that were let in get no decision: nothing was recorded in time.
  const decisions = codes.filter((code) => !/^(429 overloaded|503 (log_unavailable|outcome_unknown))$/.test(code));
  assert.deepEqual(decisions, []);
  assert.ok(codes.includes('429 overloaded') && codes.includes('503 outcome_unknown'), codes.join());
  const after = expecting(200, await authorize(service, task));
  assert.equal(after.decision, 'allow');
  await idle(service);

  function ask() {
    return authorize(service, task);
  }
});

// One that is let in waits for ever.
test('hanging up makes no room for another audit query before the work is done', { timeoutMs: 20_000 }, async (t) => {
  const reading = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let asking = false;
  const wrapLog = (log: EventLog): EventLog => ({
    ...gate().wrap(log),
    async end() {
      if (asking) {
        begun.resolve();
        await reading.promise;
      }
      return log.end();
    },
  });
  const service = await startService({ env: { SALLYPORT_AUDIT_QUERIES: '1' }, wrapLog });
  t.after(() => service.stop());
  asking = true;
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${service.tokens.auditor}` };
  const asked = fetch(`${service.url}/v1/audit/tasks`, { headers, signal: leaving.signal });
  await begun.promise;
  leaving.abort();
  await assert.rejects(asked);
  await pause(200);
  refused(429, 'overloaded', await service.call('auditor', 'GET', '/v1/audit/events'));
  reading.resolve();
  await idle(service);
  expecting(200, await service.call('auditor', 'GET', '/v1/audit/events'));
});

test('audit queries are few at once', async (t) => {
  const service = await startService({ env: { SALLYPORT_AUDIT_QUERIES: '2' } });
  t.after(() => service.stop());
  const { audits } = service.service.bounds;
  // One auditor cannot take the places of all.
  const holds = ['someone', 'someone else'].map((name) => audits.hold(name));
  assert.deepEqual(
    holds.map((hold) => [hold.take(2), hold.take(1)]),
    [
      [true, false],
      [true, false],
    ],
  );
  const answer = await service.call('auditor', 'GET', '/v1/audit/events');
  refused(429, 'overloaded', answer);
  for (const hold of holds) hold.end();
  expecting(200, await service.call('auditor', 'GET', '/v1/audit/events'));
  await idle(service);
});
