import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { families } from '../../libs/streams/catalogue.js';
import { decide } from '../support/calls.js';
import { cliIn } from '../support/cli.js';
import { gate } from '../support/gate.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';

/** Admins erase the content of a task. Its decisions and proofs remain, and the log says who erased it and why. */

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

const shred = (taskId: string, body: object = { reason: 'request 4711' }) =>
  service.call('admin', 'POST', `/v1/tasks/${taskId}/shred`, body);
const audited = async (path: string): Promise<Answered> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/${path}`));

test('a shredded task keeps its decisions and loses its content, its key and its place in memory', async () => {
  const task = await openTask(service);
  const { callId } = await decide(service, task);
  const { taskId, traceId } = task;
  const before = await audited(`traces/${traceId}/replay`);
  const key = (await service.service.stores.keyring.get(taskId)) ?? assert.fail();
  const held = service.service.decisions.lanesHeld();
  const { position } = expecting(200, await shred(taskId));

  const { tasks, calls, events } = await audited(`traces/${traceId}`);
  assert.deepEqual([tasks[0].purpose, tasks[0].status], ['shredded', 'closed']);
  assert.deepEqual([calls[0].callId, calls[0].decision, calls[0].outbound], [callId, 'allow', 'shredded']);
  const [closed, shredded] = events.slice(-2);
  assert.deepEqual([closed.type, closed.actor], ['TaskClosed', 'local-admin']);
  assert.deepEqual(
    [shredded.type, shredded.actor, shredded.position, shredded.data],
    ['TaskShredded', 'local-admin', position, { taskId, cause: 'task', reason: 'request 4711' }],
  );
  const replay = await audited(`traces/${traceId}/replay`);
  assert.deepEqual([replay.identical, replay.calls[0].identical], [true, 'shredded']);
  assert.deepEqual(replay.calls[0].recorded, before.calls[0].recorded);
  assert.deepEqual(replay.calls[0].redecided, before.calls[0].redecided);

  assert.equal(service.service.decisions.lanesHeld(), held - 1);
  for (const file of readdirSync(service.dataDir))
    assert.equal(readFileSync(join(service.dataDir, file)).includes(Buffer.from(key)), false, file);
});

test('nothing happens in a shredded task, and its id is not used again', async () => {
  const task = await openTask(service);
  const { taskId } = task;
  await decide(service, task);
  expecting(200, await shred(taskId));
  refused(404, 'not_found', await service.call('host', 'GET', `/v1/tasks/${taskId}`));
  refused(404, 'not_found', await service.call('host', 'POST', `/v1/tasks/${taskId}/close`, {}));
  const { decision } = expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
  assert.equal(decision, 'deny');
  const again = { agent: 'assistant', user: { id: 'ada', roles: ['staff'] }, purpose: 'again', scope: [], taskId };
  assert.equal((await service.call('host', 'POST', '/v1/tasks', again)).status >= 400, true);
});

test('shredding again changes nothing; a task that does not exist is not found, and a reason is needed', async () => {
  const { taskId, traceId } = await openTask(service);
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${taskId}/close`, { reason: 'done' }));
  expecting(200, await shred(taskId));
  expecting(200, await shred(taskId, { reason: 'another' }));
  const { events } = await audited(`traces/${traceId}`);
  const types = events.map(({ type }: Answered) => type);
  assert.deepEqual(types, ['TaskOpened', 'TaskJoined', 'TaskClosed', 'TaskShredded']);
  refused(404, 'not_found', await shred('00000000-0000-4000-8000-000000000000'));
  refused(400, 'malformed_request', await shred(taskId, {}));
  refused(400, 'malformed_request', await shred(taskId, { reason: 'x'.repeat(2001) }));
});

test('calls that race with a shredding are denied, or are recorded before it', async () => {
  const task = await openTask(service);
  await decide(service, task);
  const calls = Array.from({ length: 20 }, () => service.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
  const shredding = shred(task.taskId);
  const answers = await Promise.all(calls);
  expecting(200, await shredding);
  const { events } = await audited(`traces/${task.traceId}`);
  const at = (type: string) => events.findIndex((event: Answered) => event.type === type);
  const allowed = answers.filter(({ body }) => body.decision === 'allow').map(({ body }) => body.callId);
  for (const callId of allowed) {
    const index = events.findIndex(({ type, data }: Answered) => type === 'CallDecided' && data.callId === callId);
    assert.ok(index >= 0 && index < at('TaskShredded'), callId);
  }
  const { identical } = await audited(`traces/${task.traceId}/replay`);
  assert.equal(identical, true);
});

test('a shredding that is recorded after its answer loses its key with the next round of the keeper', async (t) => {
  const slow = gate();
  const late = await startService({ wrapLog: slow.wrap });
  t.after(() => late.stop());
  await readyWorld(late);
  const task = await openTask(late);
  const { taskId } = task;
  await decide(late, task);
  const { keyring, log } = late.service.stores;
  const held = slow.holdNext(families.task.stream(taskId));
  const answered = await late.call('admin', 'POST', `/v1/tasks/${taskId}/shred`, { reason: 'request 4711' });
  assert.deepEqual([answered.status, answered.body.code], [503, 'outcome_unknown']);
  // Nobody knows yet, so the key is kept, and is not spared either.
  const { shredder } = late.service.decisions;
  await shredder.complete().catch(() => undefined);
  assert.ok(await keyring.get(taskId));
  assert.deepEqual(await keyring.condemned(), [taskId]);
  held.release();
  await shredder.complete();
  assert.equal((await log.read(families.task.stream(taskId))).at(-1)?.type, 'TaskShredded');
  assert.equal(await keyring.get(taskId), undefined);
  assert.deepEqual(await keyring.condemned(), []);
});

test('`sallyport shred` asks first, and without a terminal needs --yes', async () => {
  const { taskId, traceId } = await openTask(service);
  const world = (answer?: string) => ({ env: { SALLYPORT_TOKEN: service.tokens.admin }, ...asking(answer) });
  const args = ['shred', taskId, '--reason', 'request 4712'];
  assert.equal((await cliIn(service, world(), ...args)).code, 2);
  const no = await cliIn(service, world('no'), ...args);
  assert.deepEqual([no.code, no.err], [2, 'sallyport: not confirmed: nothing was sent\n']);
  assert.equal((await audited(`traces/${traceId}`)).tasks[0].status, 'open');
  const yes = await cliIn(service, world('yes'), ...args);
  assert.deepEqual([yes.code, yes.out], [0, `shredded ${taskId}: nobody can read its content again\n`]);
  assert.equal((await cliIn(service, world(), ...args, '--yes')).code, 0);
  assert.equal((await audited(`traces/${traceId}`)).tasks[0].purpose, 'shredded');
});

const asking = (answer: string | undefined) => (answer === undefined ? {} : { ask: async () => answer });
