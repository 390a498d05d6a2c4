import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import type { AppendOutcome, Batch } from '#libs/event-log/port.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { appendingBy, writesTo } from './logs.js';

/** A store that does not say what became of an append: it failed, or it was written, or nobody knows for long. */

/** `failed`: nothing is written. `persisted`: it is written. `silent`: it is written, and there is no answer at all. */
type Fault = 'failed' | 'persisted' | 'silent';

/** Long past the deadline of an append. */
const ALWAYS = Number.MAX_SAFE_INTEGER;

async function world(t: TestContext) {
  const faults = { kind: 'failed' as Fault, prefix: '', times: 0 };
  /** What reached the store for `calls-`, each with what the store said and what it was made to say. */
  const sent: { batch: Batch; told: string }[] = [];
  const unanswered: (() => void)[] = [];
  const faulty = async (batch: Batch, append: (batch: Batch) => Promise<AppendOutcome>): Promise<AppendOutcome> => {
    if (faults.times === 0 || !writesTo(batch, faults.prefix)) {
      const outcome = await append(batch);
      if (writesTo(batch, 'calls-')) sent.push({ batch, told: outcome.kind });
      return outcome;
    }
    faults.times -= 1;
    sent.push({ batch, told: 'unknown' });
    if (faults.kind !== 'failed') await append(batch);
    if (faults.kind === 'silent') await new Promise<void>((resolve) => unanswered.push(resolve));
    return { kind: 'unknown', cause: 'TEST' };
  };
  const service = await startService({ wrapLog: (log) => appendingBy(log, faulty) });
  t.after(async () => {
    heal();
    await service.stop();
  });
  await readyWorld(service);
  const task = await openTask(service);
  sent.splice(0);

  const heal = (): void => {
    faults.times = 0;
    for (const answer of unanswered.splice(0)) answer();
  };
  const fail = (kind: Fault, prefix: string, times: number): void =>
    void Object.assign(faults, { kind, prefix, times });
  const authorize = (body: Answered) => service.call('host', 'POST', '/v1/calls/authorize', body);
  const recorded = async () =>
    (await eventsOf(service, `calls-${task.taskId}`)).map(({ data, position }) => ({ ...data, position }));
  const ready = async () => (await service.call('nobody', 'GET', '/health/ready')).status;
  return { service, task, sent, fail, heal, authorize, recorded, ready };
}

const isAllow = ({ decision }: Answered): boolean => decision === 'allow';

for (const kind of ['failed', 'persisted'] as const) {
  for (const times of [1, 3]) {
    test(`an allow whose append is ${kind} and unknown ${times} times is answered truly, and recorded once`, async (t) => {
      const { task, sent, fail, authorize, recorded } = await world(t);
      fail(kind, 'calls-', times);
      const body = callBody(task);
      const answer = expecting(200, await authorize(body));
      assert.equal(answer.decision, 'allow');
      const calls = await recorded();
      assert.equal(calls.length, 1);
      assert.equal(answer.position, String(calls[0]?.position));
      assert.equal(sent.length, times + 1);
      for (const { batch } of sent) assert.equal(batch, sent[0]?.batch, 'only the identical batch may be sent again');
      assert.deepEqual(expecting(200, await authorize(body)), answer);
    });
  }
}

for (const kind of ['failed', 'persisted', 'silent'] as const) {
  test(`an allow that is ${kind} and stays unknown is a 503; the task waits for its fate, and heals`, async (t) => {
    const { service, task, sent, fail, heal, authorize, recorded, ready } = await world(t);
    fail(kind, 'calls-', ALWAYS);
    const [first, second] = [callBody(task), callBody(task)];
    refused(503, 'log_unavailable', await authorize(first));
    refused(503, 'log_unavailable', await authorize(second));
    for (const { batch } of sent) assert.equal(batch, sent[0]?.batch, 'a decision was made before the fate was known');
    // Another task has nothing to do with it, once its own appends get through.
    fail(kind, `calls-${task.taskId}`, ALWAYS);
    const other = callBody(await openTask(service));
    assert.equal(expecting(200, await authorize(other)).decision, 'allow');

    heal();
    assert.equal(await ready(), 200);
    const answers = await Promise.all([second, first].map(async (body) => expecting(200, await authorize(body))));
    const calls = await recorded();
    for (const answer of answers) {
      assert.ok(isAllow(answer));
      const held = calls.filter(({ callId, decision }) => callId === answer.callId && decision === 'allow');
      assert.deepEqual(
        held.map(({ position }) => String(position)),
        [answer.position],
      );
    }
    // The first batch was settled before anything else of the task.
    assert.deepEqual(
      calls.map(({ callId }) => callId),
      [first.callId, second.callId],
    );
  });
}

test('an allow of unknown fate that a directive overtakes is never written', async (t) => {
  const { service, task, fail, heal, authorize, recorded } = await world(t);
  fail('failed', 'calls-', ALWAYS);
  const body = callBody(task);
  refused(503, 'log_unavailable', await authorize(body));
  const target = { type: 'capability', capability: 'memory' };
  expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'test' }));
  heal();
  const { decision, reason } = expecting(200, await authorize(body));
  assert.deepEqual([decision, reason], ['deny', 'disabled']);
  assert.deepEqual((await recorded()).filter(isAllow), []);
});

for (const kind of ['persisted', 'silent'] as const) {
  test(`a directive that is ${kind} and unknown to its issuer stops calls all the same`, async (t) => {
    const { service, task, fail, heal, authorize, recorded } = await world(t);
    fail(kind, 'directives', ALWAYS);
    const id = randomUUID();
    const issue = () =>
      service.call('operator', 'POST', '/v1/directives', { id, target: { type: 'all' }, reason: 'test' });
    refused(503, 'log_unavailable', await issue());
    // The view hears of it from the log; no allow rests on a stream of unknown fate.
    const { decision, reason } = expecting(200, await authorize(callBody(task)));
    assert.deepEqual([decision, reason], ['deny', 'disabled']);
    heal();
    const issued = expecting(201, await issue());
    assert.deepEqual([issued.id, issued.epoch], [id, 1]);
    assert.deepEqual((await recorded()).filter(isAllow), []);
  });
}

test('while it is unknown whether a directive was written, nothing is allowed', async (t) => {
  const { service, task, fail, heal, authorize, recorded } = await world(t);
  fail('failed', 'directives', ALWAYS);
  const target = { type: 'capability', capability: 'memory' };
  refused(503, 'log_unavailable', await service.call('operator', 'POST', '/v1/directives', { target, reason: 'test' }));
  const body = callBody(task);
  refused(503, 'log_unavailable', await authorize(body));
  assert.deepEqual(await recorded(), []);
  heal();
  // It was sent again before the call was looked at: what an operator asked for comes to be.
  const { decision, reason } = expecting(200, await authorize(body));
  assert.deepEqual([decision, reason], ['deny', 'disabled']);
});

test('thirty calls at once on a store that fails now and then: every allow that was given is in the log', async (t) => {
  const { task, fail, heal, authorize, recorded } = await world(t);
  const bodies = Array.from({ length: 30 }, () => callBody(task));
  for (const [kind, times] of [
    ['failed', 7],
    ['persisted', 7],
  ] as const) {
    fail(kind, 'calls-', times);
    const answers = await Promise.all(bodies.map(authorize));
    const calls = await recorded();
    for (const { status, body } of answers) {
      if (status !== 200) assert.equal(body.code, 'log_unavailable');
      else
        assert.ok(calls.some(({ callId, position }) => callId === body.callId && String(position) === body.position));
    }
  }
  heal();
  for (const answer of await Promise.all(bodies.map(authorize))) assert.ok(isAllow(expecting(200, answer)));
  assert.equal((await recorded()).length, bodies.length);
});
