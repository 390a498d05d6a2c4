import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openService } from '../../apps/pdp/service.js';
import { readSettings } from '../../apps/pdp/settings.js';
import { addPrincipal, newCapability, scopeOf, unique } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { eventsAfter, eventsOf, logEnd } from '../support/events.js';
import { gate } from '../support/gate.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, readyWorld, registration, taskBody } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const slow = gate();
let service: TestService;
before(async () => {
  service = await startService({ wrapLog: slow.wrap });
  await readyWorld(service);
});
after(() => service.stop());

const add = (body: Answered) => service.call('admin', 'POST', '/v1/principals', body);
const rotate = (name: string) => service.call('admin', 'POST', `/v1/principals/${name}/rotate`);
const remove = (name: string, who: Answered = 'admin') => service.call(who, 'DELETE', `/v1/principals/${name}`);
const read = (who: Answered) => service.call(who, 'GET', '/v1/capabilities');
const open = async (who: Answered, more: Answered = {}) =>
  expecting(201, await service.call(who, 'POST', '/v1/tasks', taskBody(more)));

test('a token is 256 random bits behind its prefix, shown once, and kept as its SHA-256 alone', async () => {
  const name = unique('auditor');
  const body = { name, roles: ['auditor', 'auditor'] };
  const added = expecting(201, await add(body));
  assert.deepEqual([added.name, added.roles], [name, ['auditor']]);
  assert.match(added.token, /^sallyport_[A-Za-z0-9_-]{43}$/);
  expecting(200, await read(added));
  assert.equal(expecting(201, await add(body)).token, undefined, 'the same again does not show it');
  expecting(200, await read(added));
  const digest = `sha256:${createHash('sha256').update(added.token).digest('hex')}`;
  const [event] = await eventsOf(service, `principal-${name}`);
  assert.equal(event?.data.tokenDigest, digest);
  const kept = JSON.stringify((await eventsAfter(service, 0n)).map(({ position: _, ...rest }) => rest));
  assert.ok(!kept.includes(added.token));
  for (const token of Object.values(service.tokens)) assert.ok(!kept.includes(token));
});

test('a name is given once: other roles, other ceilings or a name of the past are a 409', async () => {
  const { name } = await addPrincipal(service, ['host'], { agents: ['a'] });
  refused(409, 'already_exists', await add({ name, roles: ['host'] }));
  refused(409, 'already_exists', await add({ name, roles: ['host', 'admin'], host: { agents: ['a'] } }));
  expecting(204, await remove(name));
  refused(409, 'already_exists', await add({ name, roles: ['host'], host: { agents: ['a'] } }));
  refused(404, 'not_found', await remove(name));
  refused(404, 'not_found', await rotate(name));
});

test('the same request twice at once makes one principal, and one token', async () => {
  const name = unique('both');
  const roles = ['host', 'auditor'];
  const answers = await Promise.all([1, 2, 3].map(() => add({ name, roles })));
  for (const answer of answers) assert.deepEqual(expecting(201, answer).roles, roles, 'in the order that was asked');
  const tokens = answers.map(({ body }) => body.token).filter((token) => token !== undefined);
  assert.equal(tokens.length, 1);
  expecting(200, await read({ token: tokens[0] }));
});

test('rotating a token kills the old one at once', async () => {
  const old = await addPrincipal(service, ['auditor']);
  const { token } = expecting(200, await rotate(old.name));
  assert.notEqual(token, old.token);
  refused(401, 'unauthenticated', await read(old));
  expecting(200, await read({ token }));
  const again = expecting(200, await rotate(old.name));
  refused(401, 'unauthenticated', await read({ token }));
  expecting(200, await read(again));
});

test('an admin may rotate their own token', async () => {
  const admin = await addPrincipal(service, ['admin']);
  const path = `/v1/principals/${admin.name}/rotate`;
  const { token } = expecting(200, await service.call(admin, 'POST', path));
  refused(401, 'unauthenticated', await service.call(admin, 'POST', path));
  expecting(200, await service.call({ token }, 'POST', path));
});

test('a removed principal is out at once', async () => {
  const auditor = await addPrincipal(service, ['auditor']);
  expecting(200, await read(auditor));
  const answer = await remove(auditor.name);
  assert.deepEqual([answer.status, answer.body], [204, undefined]);
  refused(401, 'unauthenticated', await read(auditor));
});

test('removing a host stops its tasks by a directive with the removal as its cause', async () => {
  const host = await addPrincipal(service, ['host']);
  const task = await open(host);
  assert.equal((await decide(service, task, {}, host)).decision, 'allow');
  expecting(204, await remove(host.name));
  const removal = (await eventsOf(service, `principal-${host.name}`)).at(-1);
  const { active } = expecting(200, await service.call('auditor', 'GET', '/v1/directives'));
  const directive = active.find(({ target }: Answered) => target.host === host.name);
  assert.deepEqual([removal?.type, directive.cause], ['PrincipalRemoved', removal?.id]);
  refused(401, 'unauthenticated', await service.call(host, 'GET', `/v1/tasks/${task.taskId}`));
  const lift = `/v1/directives/${directive.id}/lift`;
  refused(409, 'invalid_transition', await service.call('operator', 'POST', lift, { reason: 'x' }));
});

test('an allow that is on its way to the log when its host is removed is never given', async () => {
  const host = await addPrincipal(service, ['host']);
  const task = await open(host);
  const held = slow.holdNext(`calls-${task.taskId}`);
  const asked = service.call(host, 'POST', '/v1/calls/authorize', callBody(task));
  await held.arrived;
  expecting(204, await remove(host.name));
  held.release();
  const answer = await asked;
  assert.ok(answer.status !== 200 || answer.body.decision === 'deny', JSON.stringify(answer.body));
  const calls = await eventsOf(service, `calls-${task.taskId}`);
  assert.deepEqual(calls, []);
});

for (const [name, role, stream, method, path, body] of [
  ['a registration', 'registrar', 'capability-', 'POST', '/v1/capabilities', () => registration(unique('cap'))],
  ['a directive', 'operator', 'directives', 'POST', '/v1/directives', () => ({ target: { type: 'all' }, reason: 'x' })],
  ['a task', 'host', 'task-', 'POST', '/v1/tasks', () => taskBody()],
] as const) {
  test(`${name} that is on its way to the log when its principal is removed is refused`, async () => {
    const actor = await addPrincipal(service, [role]);
    const held = slow.holdNext(stream);
    const asked = service.call(actor, method, path, body());
    await held.arrived;
    expecting(204, await remove(actor.name));
    const end = await logEnd(service);
    held.release();
    const answer = await asked;
    assert.ok(answer.status === 401 || answer.status === 403, `${answer.status}`);
    assert.equal(await logEnd(service), end);
  });
}

test('the last admin cannot be removed, and of several who go at once one remains', async () => {
  const alone = await startService();
  try {
    const [one, two] = [await addPrincipal(alone, ['admin']), await addPrincipal(alone, ['admin', 'auditor'])];
    const path = (name: string) => `/v1/principals/${name}`;
    const themselves: [Answered, string][] = [
      ['admin', 'local-admin'],
      [one, one.name],
      [two, two.name],
    ];
    const answers = await Promise.all(themselves.map(([who, name]) => alone.call(who, 'DELETE', path(name))));
    assert.equal(answers.filter(({ status }) => status === 204).length, 2);
    const left = themselves[answers.findIndex(({ status }) => status !== 204)];
    assert.ok(left !== undefined);
    refused(409, 'invalid_transition', await alone.call(left[0], 'DELETE', path(left[1])));
    const roles = ['admin'];
    const next = expecting(201, await alone.call(left[0], 'POST', '/v1/principals', { name: 'next', roles }));
    expecting(204, await alone.call(next, 'DELETE', path(left[1])));
  } finally {
    await alone.stop();
  }
});

test('of two admins who remove each other at once, one remains', async () => {
  const [one, two] = [await addPrincipal(service, ['admin']), await addPrincipal(service, ['admin'])];
  const answers = await Promise.all([remove(one.name, two), remove(two.name, one)]);
  assert.equal(answers.filter(({ status }) => status === 204).length, 1);
});

test('a principal needs a name and a known role; a misspelt ceiling is a 400', async () => {
  const name = unique('p');
  for (const body of [
    { name, roles: [] },
    { name, roles: ['root'] },
    { name, roles: 'host' },
    { name: 'UPPER', roles: ['host'] },
    { name: 'system:expiry', roles: ['host'] },
    { name: '-x', roles: ['host'] },
    { name: 'x'.repeat(129), roles: ['host'] },
    { roles: ['host'] },
    { name, roles: ['host'], host: { capability: ['memory'] } },
    { name, roles: ['host'], host: { mayStop: 'yes' } },
    { name, roles: ['host'], ceiling: {} },
    { name, roles: ['host'], token: 'mine' },
  ]) {
    refused(400, 'malformed_request', await add(body));
  }
  refused(404, 'not_found', await remove(unique('none')));
  refused(404, 'not_found', await rotate(unique('none')));
});

test('ceilings hold from the first task on, and only for the host that has them', async () => {
  const id = await newCapability(service);
  const host = await addPrincipal(service, ['host'], { capabilities: [id] });
  refused(403, 'beyond_ceiling', await service.call(host, 'POST', '/v1/tasks', taskBody()));
  const task = await open(host, { scope: scopeOf(id) });
  assert.equal((await decide(service, task, {}, host)).decision, 'allow');
  assert.equal((await decide(service, task, { capability: 'memory' }, host)).reason, 'capability_not_pinned');
});

test('the first start makes one principal per role, and a file with their tokens that only its owner reads', async () => {
  const fresh = await startService();
  const file = join(fresh.dataDir, 'tokens.json');
  try {
    const { mode, uid } = statSync(file);
    assert.deepEqual([mode & 0o777, uid], [0o600, process.getuid?.()]);
    assert.equal(statSync(fresh.dataDir).mode & 0o077, 0);
    const tokens = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    assert.deepEqual(Object.keys(tokens).sort(), [
      'admin',
      'approver',
      'auditor',
      'host',
      'operator',
      'registrar',
      'reviewer',
    ]);
    assert.equal(new Set(Object.values(tokens)).size, 7);
    assert.deepEqual(
      readdirSync(fresh.dataDir).filter((name) => name.startsWith('tokens')),
      ['tokens.json'],
    );
    for (const role of Object.keys(tokens)) {
      const [added] = await eventsOf(fresh, `principal-local-${role}`);
      assert.deepEqual(added?.data.roles, [role]);
    }
  } finally {
    await fresh.stop();
  }
});

test('tokens.json is written once: not after a rotation, not at a later start, not when it was taken away', async () => {
  const first = await startService();
  const { dataDir, tokens } = first;
  const file = join(dataDir, 'tokens.json');
  const { mtimeMs, ino } = statSync(file);
  const { token } = expecting(200, await first.call('admin', 'POST', '/v1/principals/local-auditor/rotate'));
  await first.stop('keep');
  const second = await startService({ dataDir });
  const now = statSync(file);
  assert.deepEqual([now.mtimeMs, now.ino], [mtimeMs, ino]);
  assert.equal(second.service.tokensFile, undefined);
  expecting(200, await second.call({ token: tokens.host }, 'GET', '/v1/capabilities'));
  expecting(200, await second.call({ token }, 'GET', '/v1/capabilities'));
  refused(401, 'unauthenticated', await second.call({ token: tokens.auditor }, 'GET', '/v1/capabilities'));
  await second.stop('keep');
  rmSync(file);
  const third = await openService(readSettings({ SALLYPORT_DATA: dataDir, SALLYPORT_HTTP: '127.0.0.1:0' }));
  await third.close();
  assert.equal(existsSync(file), false);
  rmSync(dataDir, { recursive: true, force: true });
});

test('an admin lists who may call, by pages, without any token', async () => {
  const first = await addPrincipal(service, ['host'], { agents: ['listed'] });
  const gone = await addPrincipal(service, ['auditor']);
  expecting(204, await remove(gone.name));
  const items: Answered[] = [];
  for (let cursor = ''; ;) {
    const page = expecting(200, await service.call('admin', 'GET', `/v1/principals?limit=3${cursor}`));
    assert.ok(page.items.length <= 3);
    items.push(...page.items);
    if (page.next === undefined) break;
    cursor = `&cursor=${encodeURIComponent(page.next)}`;
  }
  const names = items.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)].sort());
  const shown = items.find(({ name }) => name === first.name);
  const { addedAt, ...facts } = shown;
  const said = { name: first.name, roles: ['host'], host: { agents: ['listed'] }, state: 'active' };
  assert.deepEqual(facts, { ...said, addedBy: 'local-admin' });
  assert.ok(Math.abs(Date.parse(addedAt) - Date.now()) < 60_000);
  assert.ok(names.includes('local-admin') && !names.includes(gone.name));
  assert.doesNotMatch(JSON.stringify(items), /sallyport_|sha256:/);
});

test('the list says who came and went, and when a token was replaced', async () => {
  const gone = await addPrincipal(service, ['auditor']);
  expecting(200, await rotate(gone.name));
  expecting(204, await remove(gone.name));
  const namesIn = async (state: string) => {
    const { items } = expecting(200, await service.call('admin', 'GET', `/v1/principals?state=${state}&limit=1000`));
    return new Map<string, Answered>(items.map((one: Answered) => [one.name, one]));
  };
  const [active, removed, all] = [await namesIn('active'), await namesIn('removed'), await namesIn('all')];
  assert.deepEqual([active.has(gone.name), removed.has('local-admin')], [false, false]);
  assert.deepEqual([...active.keys(), ...removed.keys()].sort(), [...all.keys()].sort());
  const shown = removed.get(gone.name);
  assert.deepEqual(
    [shown.state, shown.addedBy, shown.tokenRotatedBy, shown.removedBy],
    ['removed', 'local-admin', 'local-admin', 'local-admin'],
  );
  assert.ok(shown.addedAt <= shown.tokenRotatedAt && shown.tokenRotatedAt <= shown.removedAt);
  assert.equal(active.get('local-admin').addedBy, 'system:first-start');
  assert.doesNotMatch(JSON.stringify([...all.values()]), /sallyport_|sha256:/);
  refused(400, 'malformed_request', await service.call('admin', 'GET', '/v1/principals?state=gone'));
  refused(403, 'forbidden', await service.call('auditor', 'GET', '/v1/principals?state=all'));
});

test('the pages of a list have each principal once while others come and go', async () => {
  const kept = await Promise.all(Array.from({ length: 6 }, () => addPrincipal(service, ['auditor'])));
  const seen: string[] = [];
  for (let cursor = ''; ;) {
    const page = expecting(200, await service.call('admin', 'GET', `/v1/principals?state=all&limit=2${cursor}`));
    seen.push(...page.items.map(({ name }: Answered) => name));
    if (page.next === undefined) break;
    cursor = `&cursor=${encodeURIComponent(page.next)}`;
    expecting(204, await remove((await addPrincipal(service, ['auditor'])).name));
  }
  assert.equal(new Set(seen).size, seen.length);
  for (const { name } of kept) assert.ok(seen.includes(name));
});
