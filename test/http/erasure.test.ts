import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { LogUnavailable, type EventLog } from '../../libs/event-log/port.js';
import { KeyringUnavailable } from '../../libs/payloads/keyring.js';
import { movableClock } from '../support/clock.js';
import { decide } from '../support/calls.js';
import { cliIn } from '../support/cli.js';
import { gate } from '../support/gate.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { test } from '../support/testing.js';
import { expecting, openTask, readyWorld, taskBody } from '../support/world.js';

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await holds()) return;
    await pause(50);
  }
  assert.fail('it did not happen in time');
}

/** Users are erased with everything that leads to them, and content is erased by its age. Neither stops halfway. */

const DAY_MS = 86_400_000;
const of = (id: string) => ({ user: { id, roles: ['staff'], attributes: { desk: 'canary-desk' } } });
const audited = async (service: TestService, path: string): Promise<Answered> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/${path}`));
const erase = (service: TestService, user: string) =>
  service.call('admin', 'POST', `/v1/users/${encodeURIComponent(user)}/erase`, { reason: 'request 4711' });
const purposes = async (service: TestService, tasks: readonly Answered[]) => {
  const traces = await Promise.all(tasks.map(({ traceId }) => audited(service, `traces/${traceId}`)));
  return traces.map(({ tasks: [task] }) => task.purpose);
};
const shreddings = async (service: TestService): Promise<Answered[]> =>
  (await audited(service, 'events?types=TaskShredded')).items;

test('an erased user is found by nobody, all tasks are shredded, and others keep theirs', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const own = [await openTask(service, of('dora@example.com')), await openTask(service, of('dora@example.com'))];
  const other = await openTask(service, of('eve'));
  for (const task of [...own, other]) await decide(service, task);
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${own[0]?.taskId}/close`, {}));

  const { shreddedTasks } = expecting(200, await erase(service, 'dora@example.com'));
  assert.equal(shreddedTasks, 2);
  assert.deepEqual(await purposes(service, [...own, other]), ['shredded', 'shredded', 'test']);
  const { tasks, calls, events } = await audited(service, `traces/${own[1]?.traceId}`);
  assert.equal(tasks[0].status, 'closed');
  assert.match(tasks[0].user.id, /^p:/);
  assert.equal((await audited(service, `traces/${own[1]?.traceId}/replay`)).identical, true);
  assert.equal(calls[0].decision, 'allow');
  assert.equal(events.at(-1).data.cause, 'user');
  const [erased] = (await audited(service, 'events?types=UserErased')).items;
  assert.deepEqual(
    [erased.actor, erased.data],
    ['local-admin', { pseudonym: tasks[0].user.id, shreddedTasks: 2, reason: 'request 4711' }],
  );
  for (const file of readdirSync(service.dataDir))
    assert.doesNotMatch(readFileSync(join(service.dataDir, file), 'latin1'), /dora@|canary-desk/, file);

  const again = expecting(200, await erase(service, 'dora@example.com'));
  const never = expecting(200, await erase(service, 'never seen/by anybody'));
  assert.deepEqual([again.shreddedTasks, never.shreddedTasks], [0, 0]);
  assert.equal((await audited(service, 'events?types=UserErased')).items.length, 1);
  const back = await openTask(service, of('dora@example.com'));
  const {
    tasks: [returned],
  } = await audited(service, `traces/${back.traceId}`);
  assert.equal(returned.user.id, 'dora@example.com');
  assert.notEqual(returned.user.pseudonym, tasks[0].user.id);

  const admin = { env: { SALLYPORT_TOKEN: service.tokens.admin } };
  const command = await cliIn(service, admin, 'erase', 'eve', '--reason', 'request 4712', '--yes');
  assert.deepEqual([command.code, command.out], [0, 'erased eve: 1 tasks were shredded\n']);
});

test('an erasure that failed after the key of the pseudonym is completed by the same request', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const tasks = [await openTask(service, of('dora')), await openTask(service, of('dora'))];
  const { keyring } = service.service.stores;
  const condemn = keyring.condemn.bind(keyring);
  Object.assign(keyring, { condemn: () => Promise.reject(new KeyringUnavailable('the keys cannot be written')) });
  assert.equal((await erase(service, 'dora')).status, 503);
  assert.equal(await keyring.knownPseudonym('dora'), undefined);
  assert.equal((await erase(service, 'dora')).status, 503, 'nothing is promised while content is readable');
  Object.assign(keyring, { condemn });
  assert.deepEqual(await purposes(service, tasks), ['test', 'test']);
  assert.equal(expecting(200, await erase(service, 'dora')).shreddedTasks, 2);
  assert.deepEqual(await purposes(service, tasks), ['shredded', 'shredded']);
});

test('a task whose append was slower than the erasure of its user is shredded too', async (t) => {
  const slow = gate();
  const service = await startService({ wrapLog: slow.wrap });
  t.after(() => service.stop());
  await readyWorld(service);
  await openTask(service, of('dora'));
  const held = slow.holdNext('task-');
  const opening = service.call('host', 'POST', '/v1/tasks', taskBody(of('dora')));
  await held.arrived;
  // The index does not know of the task yet. The answer may also be late for the append, which is written all the same.
  expecting(200, await erase(service, 'dora'));
  held.release();
  await opening;
  await eventually(async () => (await audited(service, 'events?types=TaskOpened')).items.length === 2);
  expecting(200, await erase(service, 'somebody else'));
  assert.equal((await shreddings(service)).length, 2);
});

test('a user is erased by the pseudonym that events show, and no pseudonym is made for it', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service, of('dora'));
  const pseudonym = await service.service.stores.keyring.knownPseudonym('dora');
  assert.ok(pseudonym);
  assert.equal(expecting(200, await erase(service, pseudonym)).shreddedTasks, 1);
  assert.deepEqual(await purposes(service, [task]), ['shredded']);
  assert.equal(await service.service.stores.keyring.userOf(pseudonym), undefined);
  assert.equal(expecting(200, await erase(service, pseudonym)).shreddedTasks, 0);
  const { items } = await audited(service, 'events?types=UserErased');
  assert.deepEqual(
    items.map(({ data }: Answered) => data.pseudonym),
    [pseudonym],
  );
});

test('an erasure that a crash interrupted is completed at the next start', async (t) => {
  let broken = false;
  const wrapLog = (log: EventLog): EventLog =>
    new Proxy(log, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (name === 'append')
          return async (...args: Parameters<EventLog['append']>) => {
            const types = args[0].writes.flatMap(({ events }) => events.map(({ event }) => event.type));
            if (broken && types.includes('TaskShredded')) throw new LogUnavailable('as after a crash');
            return target.append(...args);
          };
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  const first = await startService({ wrapLog });
  t.after(() => first.stop());
  await readyWorld(first);
  const tasks = [await openTask(first, of('dora')), await openTask(first, of('dora')), await openTask(first)];
  broken = true;
  assert.equal((await erase(first, 'dora')).status, 503);
  // As if the process had ended between the record of an erasure and the end of the key.
  const { keyring } = first.service.stores;
  const [, , third] = tasks;
  broken = false;
  const key = await keyring.get(third?.taskId);
  const shred = keyring.shred.bind(keyring);
  Object.assign(keyring, { shred: async () => undefined });
  expecting(200, await first.call('admin', 'POST', `/v1/tasks/${third?.taskId}/shred`, { reason: 'request 4713' }));
  Object.assign(keyring, { shred });
  assert.deepEqual(await keyring.get(third?.taskId), key);
  await first.stop('keep');

  const second = await startService({ dataDir: first.dataDir });
  t.after(() => second.stop());
  assert.equal(await second.service.stores.keyring.get(third?.taskId), undefined);
  await eventually(async () => (await shreddings(second)).length === 3);
  assert.deepEqual(await purposes(second, tasks), ['shredded', 'shredded', 'shredded']);
  await eventually(async () => (await second.service.stores.keyring.condemned()).length === 0);
});

test('content is shredded by its age, counted from the end of its task', async (t) => {
  const clock = movableClock();
  const first = await startService({ clock });
  t.after(() => first.stop());
  await readyWorld(first);
  const [old, open] = [await openTask(first), await openTask(first, { ttlMs: 6 * 3_600_000 })];
  const many = await Promise.all(Array.from({ length: 80 }, () => openTask(first)));
  for (const { taskId } of [old, ...many])
    expecting(200, await first.call('host', 'POST', `/v1/tasks/${taskId}/close`, {}));
  await first.stop('keep');

  clock.advance(2 * DAY_MS + 3_600_000);
  const second = await startService({ clock, dataDir: first.dataDir, env: { SALLYPORT_RETAIN_PAYLOADS: '2' } });
  t.after(() => second.stop());
  await eventually(async () => (await shreddings(second)).length === 81);
  assert.deepEqual(await purposes(second, [old, open]), ['shredded', 'test']);
  const [shredded] = await shreddings(second);
  assert.deepEqual([shredded.actor, shredded.data.cause], ['system:retention', 'age']);
  assert.equal((await audited(second, `traces/${old.traceId}/replay`)).identical, true);
  await second.stop('keep');

  clock.advance(6 * 3_600_000);
  const third = await startService({ clock, dataDir: first.dataDir, env: { SALLYPORT_RETAIN_PAYLOADS: '2' } });
  t.after(() => third.stop());
  await eventually(async () => (await shreddings(third)).length === 82);
  assert.deepEqual(await purposes(third, [open]), ['shredded']);
});
