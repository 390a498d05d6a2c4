import assert from 'node:assert/strict';
import type { Role } from '../../libs/vocabulary/words.js';
import { decide } from '../support/calls.js';
import { cliAs } from '../support/cli.js';
import { OVERRIDE } from '../support/quarantine.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, approve, expecting, openTask, register } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
  await register(service);
  await approve(service, 'memory', '1.0.0', ['signature_missing'], 'hold');
});
after(() => service.stop());

const cli = (role: Role, ...args: string[]) => cliAs(service, role, ...args);

async function held(task: Answered, callId?: string): Promise<string> {
  const decided = await decide(service, task, callId === undefined ? {} : { callId });
  const result = { content: [{ type: 'text', text: OVERRIDE }] };
  const body = { taskId: task.taskId, result };
  const answer = expecting(200, await service.call('host', 'POST', `/v1/calls/${decided.callId}/response`, body));
  assert.equal(answer.held, true);
  return decided.callId;
}

const REASON = ['--reason', 'a report about an attack'];

test('a held response is released by its call alone, unless several tasks have such a call', async () => {
  const [one, two] = [await openTask(service), await openTask(service)];
  const callId = await held(one);
  assert.match((await cli('reviewer', 'held')).out, new RegExp(`held +memory/recall .*${callId}`));
  await held(two, callId);
  const ambiguous = await cli('reviewer', 'release', callId, ...REASON);
  assert.equal(ambiguous.code, 2);
  assert.match(ambiguous.err, /several tasks hold a response of this call, give --task: /);
  assert.equal((await cli('reviewer', 'release', callId, '--task', two.taskId, ...REASON)).code, 0);
  const released = await cli('reviewer', 'release', callId, ...REASON);
  assert.deepEqual([released.code, released.err], [0, '']);
  const none = await cli('reviewer', 'release', callId, ...REASON);
  assert.match(none.err, /no response of this call is held/);
});

test('a held response of a task that has ended is marked', async () => {
  const task = await openTask(service);
  const callId = await held(task);
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${task.taskId}/close`));
  const line = (await cli('reviewer', 'held')).out.split('\n').find((each) => each.includes(callId));
  assert.match(line ?? '', /held \(its task is closed\)/);
});

test('a replay says of each response if it comes out the same', async () => {
  const task = await openTask(service);
  await held(task);
  const { out } = await cli('auditor', 'replay', task.traceId);
  assert.match(out, /allow ok +sha256:[0-9a-f]{64} +response same\n/);
});
