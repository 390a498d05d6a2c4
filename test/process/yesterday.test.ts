import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { refused } from '../support/problems.js';
import type { Answered, Callable } from '../support/service.js';
import {
  approve,
  callBody,
  expecting,
  openTask,
  proposal,
  readyWorld,
  registration,
  taskBody,
} from '../support/world.js';
import { ended, place } from './child.js';
import { test } from '../support/testing.js';

/** A start on yesterday's data: the same question gets the same answer. */

/** Long enough for allows to outlive the restart on a slow machine. */
const env = { SALLYPORT_LEASE_MS: '60000' };
const OTHER = 'other';

interface Yesterday {
  /** Requests that must be answered with the same body again, by whom and where. */
  readonly answered: { who: Parameters<Callable['call']>[0]; path: string; body: Answered; answer: Answered }[];
  readonly task: Answered;
  readonly counted: Answered;
  readonly stopped: Answered;
  readonly closed: Answered;
  readonly host: { token: string };
  readonly oldToken: string;
}

async function live(service: Callable): Promise<Yesterday> {
  const answered: Yesterday['answered'] = [];
  const post = async (who: Yesterday['answered'][0]['who'], path: string, body: Answered, status = 200) => {
    const answer = expecting(status, await service.call(who, 'POST', path, body));
    answered.push({ who, path, body, answer });
    return answer;
  };
  await readyWorld(service);
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', registration(OTHER)));
  await approve(service, OTHER);
  const rotated = expecting(201, await service.call('admin', 'POST', '/v1/principals', { name: 'h', roles: ['host'] }));
  const host = expecting(200, await service.call('admin', 'POST', '/v1/principals/h/rotate', {}));

  const task = await openTask(service);
  const counted = await openTask(service, { scope: [{ capability: 'memory', effects: ['read'], maxCalls: 2 }] });
  const stopped = await openTask(service, { scope: [{ capability: OTHER, effects: ['read'] }] });
  await post('host', '/v1/tasks', { ...taskBody(), taskId: randomUUID() }, 201);
  await post(host, '/v1/tasks', { ...taskBody(), taskId: randomUUID() }, 201);
  const closed = await openTask(service);
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${closed.taskId}/close`, { reason: 'done' }));

  // The next version is approved while the tasks run: their pins stay.
  const next = proposal('2.0.0');
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities/memory/versions', next));
  await approve(service, 'memory', '2.0.0');

  await post('host', '/v1/calls/authorize', callBody(task));
  await post('host', '/v1/calls/authorize', callBody(counted));
  const called = callBody(task);
  // Not to be asked again: a call is over once it has its response.
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', called));
  const { taskId } = task;
  const result = { content: [{ type: 'text', text: 'a note' }], structuredContent: { notes: 1 } };
  await post('host', `/v1/calls/${called.callId}/response`, { taskId, result });
  expecting(
    200,
    await service.call('host', 'POST', `/v1/calls/${called.callId}/outcome`, { taskId, status: 'failed' }),
  );
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', callBody(task, { arguments: {} })));

  const directive = { id: randomUUID(), target: { type: 'capability', capability: OTHER }, reason: 'INC-1' };
  await post('operator', '/v1/directives', directive, 201);
  const lifted = { target: { type: 'effect', effect: 'send' }, reason: 'INC-2' };
  const { id } = expecting(201, await service.call('operator', 'POST', '/v1/directives', lifted));
  expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'a false alarm' }));
  await post(
    'host',
    '/v1/calls/authorize',
    callBody(task, { explain: true, operation: 'store', arguments: { a: [1] } }),
  );
  return { answered, task, counted, stopped, closed, host, oldToken: rotated.token };
}

/** Everything that can be read, except the parts that are new in each answer. */
async function seen(
  service: Callable,
  { task, counted, stopped, closed }: Yesterday,
): Promise<Record<string, Answered>> {
  const all: Record<string, Answered> = {};
  const get = async (who: 'host' | 'auditor', path: string): Promise<void> => {
    all[path] = expecting(200, await service.call(who, 'GET', path));
  };
  for (const { taskId, traceId } of [task, counted, stopped, closed]) {
    await get('host', `/v1/tasks/${taskId}`);
    await get('auditor', `/v1/audit/traces/${traceId}`);
    await get('auditor', `/v1/audit/traces/${traceId}/replay`);
    assert.equal(all[`/v1/audit/traces/${traceId}/replay`].identical, true);
  }
  for (const path of ['/v1/audit/calls', '/v1/audit/calls?reviewStatus=approved']) await get('auditor', path);
  const { items } = expecting(200, await service.call('auditor', 'GET', '/v1/audit/events?after=0'));
  // Reading is recorded too, up to a second later.
  all.events = items.filter(({ type }: Answered) => type !== 'EvidenceRead');
  for (const path of ['/v1/capabilities', '/v1/policies/default', '/.well-known/jwks.json']) await get('auditor', path);
  const beat = expecting(200, await service.call('host', 'GET', '/v1/directives'));
  assert.equal(beat.active.length, 1);
  // The other members follow the time of the beat, and the end of the log.
  const { active, epoch, incarnation, kid, leaseMs, stateRoot } = beat;
  return { ...all, beat: { active, epoch, incarnation, kid, leaseMs, stateRoot } };
}

for (const [how, signal, lost] of [
  ['was stopped', 'SIGTERM', []],
  ['was killed, and lost its index', 'SIGKILL', ['audit-index.db', 'audit-index.db-wal', 'audit-index.db-shm']],
] as const) {
  test(`a start on the data of a service that ${how} gives the same answers`, async (t) => {
    const { dataDir, start } = place(t);
    const tokens = () => readFileSync(join(dataDir, 'tokens.json'), 'utf8');
    const first = await start({ env });
    const yesterday = await live(first);
    const { answered, task, counted, stopped, closed, host, oldToken } = yesterday;
    const [seenThen, tokensThen] = [await seen(first, yesterday), tokens()];
    first.kill(signal);
    await ended(first);
    for (const file of lost) rmSync(join(dataDir, file), { force: true });

    const service = await start({ env });
    assert.equal(tokens(), tokensThen);
    assert.doesNotMatch(service.stdout(), /tokens written/);
    // Before anything is asked for that could add to it.
    const seenNow = await seen(service, yesterday);
    for (const [path, answer] of Object.entries(seenThen)) assert.deepEqual(seenNow[path], answer, path);
    for (const { who, path, body, answer } of answered) {
      const again = (await service.call(who, 'POST', path, body)).body;
      // The record of a call has one position. A repeated create answers one at or after its own.
      const { position } = path.startsWith('/v1/calls/') ? again : answer;
      assert.deepEqual({ ...again, position }, answer, `${path} again`);
      assert.ok(BigInt(again.position) >= BigInt(answer.position));
    }

    const decide = async (body: Answered): Promise<Answered> =>
      expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
    const reasonOf = async (body: Answered): Promise<string> => (await decide(body)).reason;
    const allowed = await decide(callBody(task));
    assert.deepEqual([allowed.decision, allowed.version], ['allow', '1.0.0']);
    assert.equal(await reasonOf(callBody(task, { version: '2.0.0' })), 'version_not_pinned');
    assert.equal(await reasonOf(callBody(task, { arguments: {} })), 'arguments_invalid');
    assert.equal(await reasonOf(callBody(stopped, { capability: OTHER })), 'disabled');
    assert.equal(await reasonOf(callBody(closed)), 'task_closed');
    // One of two calls was counted yesterday.
    assert.deepEqual(
      [await reasonOf(callBody(counted)), await reasonOf(callBody(counted))],
      ['ok', 'outside_task_scope'],
    );
    const opened = expecting(201, await service.call(host, 'POST', '/v1/tasks', taskBody()));
    assert.equal(opened.pins[0].version, '2.0.0');
    refused(401, 'unauthenticated', await service.call({ token: oldToken }, 'POST', '/v1/tasks', taskBody()));
  });
}
