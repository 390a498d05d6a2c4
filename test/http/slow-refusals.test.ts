import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { AppendOutcome, Batch, EventLog } from '../../libs/event-log/port.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answer, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { test, type TestContext } from '../support/testing.js';

/**
 * Refusals of calls that belong to no task are recorded one after another. A slow or missing log must not pile them up.
 */

type Append = (batch: Batch, log: EventLog) => Promise<AppendOutcome>;

/** A service whose log appends refusals in another way while `trouble` is on. */
async function started(t: TestContext, append: Append): Promise<{ service: TestService; trouble(on: boolean): void }> {
  let troubled = false;
  const isRefusal = ({ writes }: Batch) => writes.some(({ stream }) => stream.startsWith('refusals-'));
  const service = await startService({
    wrapLog: (log) => ({
      ...log,
      append: (batch) => (troubled && isRefusal(batch) ? append(batch, log) : log.append(batch)),
    }),
  });
  t.after(() => service.stop());
  await readyWorld(service);
  return { service, trouble: (on) => (troubled = on) };
}

/** Sends calls of unknown tasks, all at once. Returns all answers, and when the last one came, in milliseconds. */
async function strays(service: TestService, count: number): Promise<{ ms: number; answers: Answer[] }> {
  const startedMs = performance.now();
  const body = () => callBody({ taskId: randomUUID(), pins: [] });
  const ask = () => service.call('host', 'POST', '/v1/calls/authorize', body());
  const answers = await Promise.all(Array.from({ length: count }, ask));
  return { ms: performance.now() - startedMs, answers };
}

async function worksAgain(service: TestService): Promise<void> {
  const { answers } = await strays(service, 5);
  for (const answer of answers) assert.equal(expecting(200, answer).reason, 'task_unknown');
  const task = await openTask(service);
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
}

test('a slow log: who would wait for more than a second gets 503, and nothing of it is recorded', async (t) => {
  const { service, trouble } = await started(t, async (batch, log) => {
    await pause(250);
    return log.append(batch);
  });
  trouble(true);
  const { ms, answers } = await strays(service, 30);
  trouble(false);
  assert.ok(ms < 3000, `${ms} ms`);
  const recorded = answers.filter(({ status }) => status === 200);
  for (const answer of recorded) assert.equal(answer.body.reason, 'task_unknown');
  for (const answer of answers) if (answer.status !== 200) refused(503, 'log_unavailable', answer);
  assert.ok(recorded.length >= 1 && recorded.length <= 6, `${recorded.length}`);
  assert.equal((await eventsOf(service, 'refusals-local-host')).length, recorded.length);
  await worksAgain(service);
});

test('a log that takes refusals and says nothing: all get 503 soon, however many they are', async (t) => {
  const back = Promise.withResolvers<void>();
  const { service, trouble } = await started(t, async (batch, log) => {
    await back.promise;
    return log.append(batch);
  });
  trouble(true);
  const { ms, answers } = await strays(service, 30);
  assert.ok(ms < 4000, `${ms} ms`);
  // The log has taken the first one. The others were not sent.
  const unwritten = answers.filter(({ body }) => body.code !== 'outcome_unknown');
  assert.equal(unwritten.length, answers.length - 1);
  for (const answer of unwritten) refused(503, 'log_unavailable', answer);
  trouble(false);
  back.resolve();
  await worksAgain(service);
});
