import assert from 'node:assert/strict';
import { addPrincipal, newCapability, scopeOf, versionCommand } from '../support/actors.js';
import { stop } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** A call has one response. A repeat of its question would be for a second call, so it never gets an allow. */

const clock = movableClock();
let service: TestService;
before(async () => {
  service = await startService({ clock });
  await activatePolicy(service);
});
after(() => service.stop());

const ask = (body: Answered) => service.call('host', 'POST', '/v1/calls/authorize', body);
const close = (taskId: string) => service.call('host', 'POST', `/v1/tasks/${taskId}/close`, {});

/** Ways to end the allow of a call of `capability` in `task`. */
const ENDS: Readonly<Record<string, (capability: string, task: Answered) => Promise<unknown>>> = {
  'nothing else': () => Promise.resolve(),
  'a disable': (capability) => stop(service, { type: 'capability', capability }),
  'a disable that was lifted': (capability) => stop(service, { type: 'capability', capability }, { lift: true }),
  'a suspension': (capability) => versionCommand(service, 'operator', capability, 'suspend'),
  'a revocation': (capability) => versionCommand(service, 'reviewer', capability, 'revoke'),
  'the close of its task': (_capability, task) => close(task.taskId),
  'its expiry': () => Promise.resolve(clock.advance(60_000)),
};

for (const [what, end] of Object.entries(ENDS)) {
  test(`after its response and ${what} a repeat is call_finished, and nothing is recorded`, async () => {
    const capability = await newCapability(service);
    const task = await openTask(service, { scope: scopeOf(capability) });
    const body = callBody(task, { capability });
    assert.equal(expecting(200, await ask(body)).decision, 'allow');
    const response = { taskId: task.taskId, result: { content: [{ type: 'text', text: 'x' }] } };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${body.callId}/response`, response));
    await end(capability, task);
    for (let times = 0; times < 2; times += 1) refused(409, 'call_finished', await ask(body));
    refused(409, 'call_conflict', await ask({ ...body, arguments: { key: 'other' } }));
    const types = (await eventsOf(service, `calls-${task.taskId}`)).map(({ type }) => type);
    assert.deepEqual(types, ['CallDecided', 'ResponseValidated']);
  });

  test(`with an outcome and no response, after ${what} a repeat is what the call is worth now`, async () => {
    const capability = await newCapability(service);
    const task = await openTask(service, { scope: scopeOf(capability) });
    const body = callBody(task, { capability });
    const first = expecting(200, await ask(body));
    const outcome = { taskId: task.taskId, status: 'unknown' };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${body.callId}/outcome`, outcome));
    await end(capability, task);
    const again = expecting(200, await ask(body));
    const { checks } = expecting(200, await ask(callBody(task, { capability, explain: true })));
    assert.equal(again.decision, checks.at(-1).outcome === 'pass' ? 'allow' : 'deny');
    // Only an allow that still holds is answered unchanged.
    assert.equal(again.position === first.position, what === 'nothing else');
    if (again.decision === 'deny') assert.deepEqual([again.outbound, again.expiresAt], [undefined, undefined]);
  });
}

test('only the host of a call learns whether the call is finished', async () => {
  const capability = await newCapability(service);
  const task = await openTask(service, { scope: scopeOf(capability) });
  const body = callBody(task, { capability });
  expecting(200, await ask(body));
  const response = { taskId: task.taskId, error: { code: 1, message: 'x' } };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${body.callId}/response`, response));
  const stranger = await addPrincipal(service, ['host']);
  const answer = expecting(200, await service.call(stranger, 'POST', '/v1/calls/authorize', body));
  assert.deepEqual([answer.decision, answer.reason], ['deny', 'task_unknown']);
});
