import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { newTraceId } from '../../libs/decision-point/trace.js';
import { parseEvent, sealEvent } from '../../libs/event-log/event.js';
import { digestOf } from '../../libs/kernel/digest.js';
import { toInstant } from '../../libs/kernel/time.js';
import { taskKeyDigest } from '../../libs/payloads/keyring.js';
import { sealPayload } from '../../libs/payloads/payload.js';
import { isPseudonym } from '../../libs/payloads/pseudonym.js';
import { published } from '../../libs/published/publish.js';
import { decide } from '../support/calls.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { activatePolicy, expecting, openTask, readyWorld } from '../support/world.js';

/** Events name a user by a pseudonym. Policies and auditors see the id, until the user is erased. */

const lines: string[] = [];
const logger = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
let service: TestService;
before(async () => {
  service = await startService({ logger });
  await readyWorld(service);
});
after(() => service.stop());

const newUser = (): { id: string; roles: string[] } => ({ id: `canary-${randomUUID()}@example.com`, roles: ['staff'] });
const log = () => service.service.stores.log;
const keyring = () => service.service.stores.keyring;

const asked = async (path: string): Promise<Answered> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/${path}`));

async function recordedFor(taskId: string): Promise<{ opened: Answered; decided: Answered }> {
  const [task, calls] = [await log().read(`task-${taskId}`), await log().read(`calls-${taskId}`)];
  const [opened, decided] = [task[0], calls[0]].map((event) => parseEvent(event?.json ?? '{}').data);
  return { opened, decided };
}

test('the id of a user is in no event, no published record, no line and no file', async () => {
  const user = newUser();
  const task = await openTask(service, { user });
  await decide(service, task);
  const { opened, decided } = await recordedFor(task.taskId);
  assert.ok(isPseudonym(opened.user.id));
  assert.equal(decided.user, opened.user.id);
  const key = await keyring().get(task.taskId);
  assert.equal(opened.keyDigest, taskKeyDigest(key ?? new Uint8Array()));

  const events = await log().readAll({ after: 0n, limit: 10_000 });
  for (const event of events) {
    assert.doesNotMatch(event.json, /canary/);
    assert.doesNotMatch(JSON.stringify(published(event).data), /canary/);
  }
  await asked(`calls?task=${task.taskId}`);
  for (const file of readdirSync(service.dataDir)) {
    assert.doesNotMatch(readFileSync(join(service.dataDir, file), 'latin1'), /canary/, file);
  }
  assert.doesNotMatch(lines.join('\n'), /canary/);
  assert.doesNotMatch((await service.call('auditor', 'GET', '/metrics')).body ?? '', /canary/);
});

test('two tasks of one user have one pseudonym, those of another user another', async () => {
  const user = newUser();
  const tasks = [];
  for (const each of [user, user, newUser()]) tasks.push(await openTask(service, { user: each }));
  const names = await Promise.all(tasks.map(async ({ taskId }) => (await recordedFor(taskId)).opened.user.id));
  assert.equal(names[0], names[1]);
  assert.notEqual(names[0], names[2]);
});

test('auditors and the host of a task see the id and the pseudonym, and find by either', async () => {
  const user = newUser();
  const task = await openTask(service, { user });
  const { callId } = await decide(service, task);
  const pseudonym = (await recordedFor(task.taskId)).opened.user.id;
  const shown = { ...user, pseudonym, attestedBy: 'local-host' };
  const { attributes: _, ...own } = expecting(200, await service.call('host', 'GET', `/v1/tasks/${task.taskId}`)).user;
  assert.deepEqual(own, shown);
  const trace = await asked(`traces/${task.traceId}`);
  assert.deepEqual(trace.calls[0].user, shown);
  assert.equal(trace.tasks[0].user.id, user.id);
  for (const identity of [user.id, pseudonym]) {
    const { items } = await asked(`calls?identity=${encodeURIComponent(identity)}`);
    assert.deepEqual(
      items.map((item: Answered) => [item.callId, item.user]),
      [[callId, shown]],
    );
  }
  const { items } = await asked('tasks?limit=200');
  assert.deepEqual(items.find(({ taskId }: Answered) => taskId === task.taskId).user, shown);
});

test('policies see the id, also after a restart, and the call replays identically', async () => {
  const own = await startService();
  try {
    await readyWorld(own);
    const user = newUser();
    const cedar = `@id("own") permit(principal == User::"${user.id}", action, resource);`;
    await activatePolicy(own, cedar);
    const task = await openTask(own, { user });
    assert.equal((await decide(own, task)).rule, 'own');
    await own.stop('keep');
    const again = await startService({ dataDir: own.dataDir });
    try {
      assert.equal((await decide(again, task)).rule, 'own');
      const other = await decide(again, await openTask(again, { user: newUser() }));
      assert.equal(other.reason, 'outside_user_authority');
      const replay = await again.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}/replay`);
      assert.equal(expecting(200, replay).identical, true);
    } finally {
      await again.stop('keep');
    }
  } finally {
    await own.stop();
  }
});

test('an erased user is a pseudonym for ever, and comes back as somebody else', async () => {
  const user = newUser();
  const task = await openTask(service, { user });
  const { callId } = await decide(service, task);
  const pseudonym = (await recordedFor(task.taskId)).opened.user.id;
  await keyring().eraseUser(pseudonym);

  const trace = await asked(`traces/${task.traceId}`);
  const gone = { id: pseudonym, pseudonym, roles: ['staff'], attestedBy: 'local-host' };
  assert.deepEqual(trace.calls[0].user, gone);
  assert.equal(trace.tasks[0].user.id, pseudonym);
  assert.equal((await asked(`traces/${task.traceId}/replay`)).identical, true);
  assert.deepEqual((await asked(`calls?identity=${encodeURIComponent(user.id)}`)).items, []);
  const { items } = await asked(`calls?identity=${encodeURIComponent(pseudonym)}`);
  assert.deepEqual(
    items.map((item: Answered) => [item.callId, item.user]),
    [[callId, gone]],
  );
  const later = (await recordedFor((await openTask(service, { user })).taskId)).opened.user.id;
  assert.ok(isPseudonym(later));
  assert.notEqual(later, pseudonym);
});

test('a task from before pseudonyms decides, is shown, and is found together with the new ones', async () => {
  const user = newUser();
  const old = await openedLongAgo(user);
  const { callId, decision } = await decide(service, old);
  assert.equal(decision, 'allow');
  assert.equal((await recordedFor(old.taskId)).decided.user, user.id);
  const shown = { ...user, attestedBy: 'local-host' };
  assert.deepEqual((await asked(`traces/${old.traceId}`)).calls[0].user, shown);
  assert.equal((await asked(`traces/${old.traceId}/replay`)).identical, true);
  const { callId: later } = await decide(service, await openTask(service, { user }));
  const ids: string[] = [];
  for (let cursor = ''; ids.length < 2;) {
    const page = await asked(`calls?identity=${encodeURIComponent(user.id)}&limit=1${cursor}`);
    ids.push(page.items[0].callId);
    cursor = `&cursor=${page.next}`;
    assert.equal(page.next === undefined, ids.length === 2);
  }
  assert.deepEqual(ids, [later, callId]);
});

/** A task as version 1 of its event recorded it: the id of the user is in the clear. */
async function openedLongAgo(user: { id: string; roles: string[] }): Promise<Answered> {
  const template = await openTask(service);
  const { opened } = await recordedFor(template.taskId);
  const [taskId, traceId] = [randomUUID(), newTraceId()];
  const [stream, trace] = [`task-${taskId}`, `trace-${traceId}`];
  const { bytes, commitments } = sealPayload(await keyring().create(taskId), `${stream}@1`, {
    purpose: 'long ago',
    attributes: {},
  });
  const { keyDigest: _, ...older } = opened;
  const data = { ...older, taskId, user: { ...opened.user, ...user }, commitments, requestDigest: digestOf(taskId) };
  const common = { revision: 1, schemaVersion: 1, time: toInstant(Date.now()), actor: 'local-host', traceId };
  const task = sealEvent({ ...common, stream, type: 'TaskOpened', data }, bytes);
  const joined = { taskId, host: 'local-host' };
  const join = sealEvent({ ...common, stream: trace, type: 'TaskJoined', data: joined });
  const outcome = await log().append({
    writes: [
      { stream, expected: 0, events: [task] },
      { stream: trace, expected: 0, events: [join] },
    ],
    checks: [],
  });
  assert.equal(outcome.kind, 'committed');
  return { ...template, taskId, traceId };
}
