import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { refused } from '../support/problems.js';
import type { Answered } from '../support/service.js';
import { callBody, expecting, openTask } from '../support/world.js';
import { ALWAYS, faultyWorld as world } from './faulty-world.js';
import { test } from '../support/testing.js';

/** A store that does not say what became of an append: it failed, or it was written, or nobody knows for long. */

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
    refused(503, 'outcome_unknown', await authorize(first));
    // Of the second nothing was sent.
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
    // The written part of the first batch remains. The rest was never sent again, so each event is there once.
    assert.equal(calls.length, 2);
    if (kind !== 'failed') assert.equal(calls[0]?.callId, first.callId);
  });
}

test('an allow of unknown fate that a directive overtakes is never written', async (t) => {
  const { service, task, fail, heal, authorize, recorded } = await world(t);
  fail('failed', 'calls-', ALWAYS);
  const body = callBody(task);
  refused(503, 'outcome_unknown', await authorize(body));
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
    refused(503, 'outcome_unknown', await issue());
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
  refused(503, 'outcome_unknown', await service.call('operator', 'POST', '/v1/directives', { target, reason: 'test' }));
  const body = callBody(task);
  refused(503, 'log_unavailable', await authorize(body));
  assert.deepEqual(await recorded(), []);
  heal();
  // The batch was sent again before the next call was looked at: an operator's command is carried out.
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
      if (status !== 200) assert.ok(['log_unavailable', 'outcome_unknown'].includes(body.code), body.code);
      else
        assert.ok(calls.some(({ callId, position }) => callId === body.callId && String(position) === body.position));
    }
  }
  heal();
  for (const answer of await Promise.all(bodies.map(authorize))) assert.ok(isAllow(expecting(200, answer)));
  assert.equal((await recorded()).length, bodies.length);
});
