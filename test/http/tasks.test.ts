import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  addPrincipal,
  newCapability,
  newVersion,
  scopeOf,
  unique,
  versionCommand,
  type Actor,
} from '../support/actors.js';
import { decide } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf, logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { approve, callBody, expecting, openTask, proposal, readyWorld, register, taskBody } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const clock = movableClock();
let service: TestService;
let stranger: Actor;
before(async () => {
  service = await startService({ clock });
  await readyWorld(service);
  stranger = await addPrincipal(service, ['host']);
});
after(() => service.stop());

const open = (body: Answered, who: Answered = 'host', headers?: Record<string, string>) =>
  service.call(who, 'POST', '/v1/tasks', body, headers);
const get = (taskId: string, who: Answered = 'host') => service.call(who, 'GET', `/v1/tasks/${taskId}`);
const close = (taskId: string, body: Answered = {}, who: Answered = 'host') =>
  service.call(who, 'POST', `/v1/tasks/${taskId}/close`, body);
/** The capabilities of the answer with what each was resolved to. */
const resolved = ({ pins, unresolved }: Answered) =>
  Object.fromEntries([
    ...pins.map(({ capability, version }: Answered) => [capability, version]),
    ...unresolved.map(({ capability, reason }: Answered) => [capability, reason]),
  ]);
const pinOf = async (capability: string, more: Record<string, unknown> = {}) =>
  resolved(await openTask(service, { scope: scopeOf(capability, more) }))[capability];

test('a task tells what it was opened with, and what it was bound to', async () => {
  const body = taskBody({ user: { id: 'ada', roles: ['staff'], attributes: { team: 'a' } }, ttlMs: 60_000 });
  const opened = expecting(201, await open(body));
  assert.deepEqual(Object.keys(opened).sort(), [
    'epoch',
    'expiresAt',
    'pins',
    'position',
    'taskId',
    'traceId',
    'unresolved',
  ]);
  assert.deepEqual(
    opened.pins.map(({ capability, version }: Answered) => [capability, version]),
    [['memory', '1.0.0']],
  );
  const seen = expecting(200, await get(opened.taskId));
  for (const member of ['taskId', 'traceId', 'pins', 'unresolved', 'expiresAt', 'epoch', 'position']) {
    assert.deepEqual(seen[member], opened[member], member);
  }
  const { host, agent, user, purpose, scope, status } = seen;
  assert.deepEqual([host, agent, purpose, scope, status], ['local-host', body.agent, body.purpose, body.scope, 'open']);
  const { pseudonym, ...named } = user;
  assert.match(pseudonym, /^p:/);
  assert.deepEqual(named, { ...body.user, attestedBy: 'local-host' });
});

test('a task keeps the version that it was bound to when a newer one is approved', async () => {
  const capability = await newCapability(service);
  const task = await openTask(service, { scope: scopeOf(capability) });
  await newVersion(service, capability, proposal('2.0.0'));
  assert.equal(await pinOf(capability), '2.0.0');
  const decision = await decide(service, task);
  assert.deepEqual([decision.decision, decision.version], ['allow', '1.0.0']);
  assert.equal((await decide(service, task, { version: '2.0.0' })).reason, 'version_not_pinned');
  assert.deepEqual(expecting(200, await get(task.taskId)).pins, task.pins);
});

test('the default is the version whose first approval is the latest, not the one that was proposed last', async () => {
  const capability = unique('cap');
  await register(service, capability, proposal('1.0.0'));
  for (const version of ['2.0.0', '3.0.0']) {
    expecting(
      201,
      await service.call('registrar', 'POST', `/v1/capabilities/${capability}/versions`, proposal(version)),
    );
  }
  assert.equal(await pinOf(capability), 'version_pending');
  await approve(service, capability, '3.0.0');
  assert.equal(await pinOf(capability), '3.0.0');
  await approve(service, capability, '1.0.0');
  assert.equal(await pinOf(capability), '1.0.0');
});

test('reinstating a version does not make its approval a later one', async () => {
  const capability = await newCapability(service);
  await newVersion(service, capability, proposal('2.0.0'));
  expecting(200, await versionCommand(service, 'operator', capability, 'suspend'));
  expecting(200, await versionCommand(service, 'reviewer', capability, 'reinstate'));
  assert.equal(await pinOf(capability), '2.0.0');
});

test('there is no falling back to an earlier version while the default one is stopped', async () => {
  const capability = await newCapability(service);
  await newVersion(service, capability, proposal('2.0.0'));
  expecting(200, await versionCommand(service, 'operator', capability, 'suspend', {}, '2.0.0'));
  assert.equal(await pinOf(capability), 'version_suspended');
  assert.equal(await pinOf(capability, { version: '1.0.0' }), '1.0.0');
  expecting(200, await versionCommand(service, 'operator', capability, 'revoke', {}, '2.0.0'));
  assert.equal(await pinOf(capability), 'version_revoked');
});

test('a capability without an approved version is unresolved for its reason, and the rest goes on', async () => {
  const status = async (...commands: [string, Record<string, unknown>?][]) => {
    const capability = unique('cap');
    await register(service, capability);
    for (const [command, more] of commands) {
      expecting(200, await versionCommand(service, 'reviewer', capability, command, more));
    }
    return capability;
  };
  const approved = { verdict: 'approved', exceptions: ['signature_missing'] };
  const expected: Record<string, string> = {
    memory: '1.0.0',
    'never-registered': 'capability_unregistered',
    [await status()]: 'version_pending',
    [await status(['review', { verdict: 'rejected' }])]: 'version_rejected',
    [await status(['review', approved], ['suspend'])]: 'version_suspended',
    [await status(['review', approved], ['revoke'])]: 'version_revoked',
  };
  const scope = Object.keys(expected).flatMap((capability) => scopeOf(capability));
  const task = await openTask(service, { scope });
  assert.deepEqual(resolved(task), expected);
  for (const [capability, reason] of Object.entries(expected)) {
    const { decision, reason: denied } = await decide(service, task, { capability });
    if (decision === 'allow') continue;
    // Without a pin there is no version whose review could be looked at.
    assert.equal(denied, reason === 'capability_unregistered' ? reason : 'capability_not_pinned');
  }
});

test('a version that an entry names is pinned, or unresolved for its reason', async () => {
  const capability = await newCapability(service);
  expecting(201, await service.call('registrar', 'POST', `/v1/capabilities/${capability}/versions`, proposal('2.0.0')));
  assert.equal(await pinOf(capability, { version: '1.0.0' }), '1.0.0');
  assert.equal(await pinOf(capability, { version: '2.0.0' }), 'version_pending');
  assert.equal(await pinOf(capability, { version: '9.9.9' }), 'version_unregistered');
});

test('two entries of one capability with different versions are a 400, with one version they are fine', async () => {
  const entry = (version?: string) => ({ capability: 'memory', effects: ['read'], ...(version && { version }) });
  refused(400, 'malformed_request', await open(taskBody({ scope: [entry('1.0.0'), entry('2.0.0')] })));
  expecting(201, await open(taskBody({ scope: [entry('1.0.0'), entry(), entry('1.0.0')] })));
});

test('a scope entry covers by effects, by operations, by both if it has both, and nothing if it has neither', async () => {
  const reasonFor = async (operation: string, entry: Answered) => {
    const task = await openTask(service, { scope: [{ capability: 'memory', ...entry }] });
    const { reason } = await decide(service, task, { operation });
    return reason;
  };
  assert.equal(await reasonFor('recall', { effects: ['read'] }), 'ok');
  assert.equal(await reasonFor('store', { effects: ['read'] }), 'outside_task_scope');
  assert.equal(await reasonFor('store', { operations: ['store'] }), 'ok');
  assert.equal(await reasonFor('recall', { operations: ['store'] }), 'outside_task_scope');
  assert.equal(await reasonFor('store', { operations: ['store'], effects: ['write'] }), 'ok');
  assert.equal(await reasonFor('store', { operations: ['store'], effects: ['read'] }), 'outside_task_scope');
  assert.equal(await reasonFor('recall', {}), 'outside_task_scope');
  assert.equal(await reasonFor('recall', { effects: [] }), 'outside_task_scope');
});

test('a task beyond a ceiling of its host is always refused', async () => {
  const ceilings = { agents: ['assistant'], userRoles: ['staff'], capabilities: ['memory'] };
  const host = await addPrincipal(service, ['host'], ceilings);
  const end = await logEnd(service);
  const user = { id: 'ada', roles: ['staff', 'boss'] };
  refused(403, 'beyond_ceiling', await open(taskBody({ agent: 'other' }), host));
  refused(403, 'beyond_ceiling', await open(taskBody({ user }), host));
  refused(403, 'beyond_ceiling', await open(taskBody({ scope: [...scopeOf('memory'), ...scopeOf('else')] }), host));
  assert.equal(await logEnd(service), end);
  expecting(201, await open(taskBody(), host));
  expecting(201, await open(taskBody({ scope: [], user: { id: 'eve', roles: [] } }), host));
});

test('an empty ceiling lets nothing through, an absent one everything', async () => {
  const none = await addPrincipal(service, ['host'], { capabilities: [] });
  refused(403, 'beyond_ceiling', await open(taskBody(), none));
  expecting(201, await open(taskBody({ agent: 'any', user: { id: 'x', roles: ['any'] }, scope: [] }), none));
});

test('a client id and an Idempotency-Key: the same body is answered from the record, another one is a 409', async () => {
  const taskId = randomUUID();
  const key = { 'idempotency-key': unique('key') };
  for (const [body, headers] of [
    [taskBody({ taskId: taskId.toUpperCase() }), {}],
    [taskBody(), key],
  ]) {
    const first = expecting(201, await open(body, 'host', headers));
    await newVersion(service, 'memory', proposal(`1.0.${first.position}`));
    assert.deepEqual(expecting(201, await open(body, 'host', headers)), first);
    refused(409, 'already_exists', await open({ ...body, purpose: 'another' }, 'host', headers));
    const recorded = await eventsOf(service, `task-${first.taskId}`);
    assert.equal(recorded.length, 1);
  }
  assert.equal(expecting(200, await get(taskId)).taskId, taskId);
});

test('a task that is too large to be recorded is a 413, and is not there', async () => {
  const operations = Array.from({ length: 20 }, (_, index) => `${index}${'o'.repeat(80)}`);
  const scope = Array.from({ length: 200 }, () => ({ capability: 'memory', operations }));
  const taskId = randomUUID();
  refused(413, 'too_large', await open(taskBody({ taskId, scope })));
  refused(404, 'not_found', await get(taskId));
});

test('an Idempotency-Key is the key of one caller, and a client id goes before it', async () => {
  const key = { 'idempotency-key': unique('key') };
  const mine = expecting(201, await open(taskBody(), 'host', key));
  const theirs = expecting(201, await open(taskBody(), stranger, key));
  assert.notEqual(theirs.taskId, mine.taskId);
  const taskId = randomUUID();
  assert.equal(expecting(201, await open(taskBody({ taskId }), 'host', key)).taskId, taskId);
  for (const malformed of ['', 'a b', 'x'.repeat(257)]) {
    refused(400, 'malformed_request', await open(taskBody(), 'host', { 'idempotency-key': malformed }));
  }
});

test('opening one task at once many times opens it once', async () => {
  const body = taskBody({ taskId: randomUUID() });
  const answers = await Promise.all(Array.from({ length: 8 }, () => open(body)));
  for (const answer of answers) expecting(201, answer);
  assert.equal((await eventsOf(service, `task-${body.taskId}`)).length, 1);
});

test('the trace is the one that the task names, else that of its traceparent, else a new one', async () => {
  const [named, parent] = [randomUUID(), randomUUID()].map((id) => id.replaceAll('-', ''));
  const headers = { traceparent: `00-${parent}-00f067aa0ba902b7-01` };
  assert.equal(expecting(201, await open(taskBody({ traceId: named }), 'host', headers)).traceId, named);
  assert.equal(expecting(201, await open(taskBody(), 'host', headers)).traceId, parent);
  const made = expecting(201, await open(taskBody(), 'host', { traceparent: 'nonsense' })).traceId;
  assert.match(made, /^(?!0{32})[0-9a-f]{32}$/);
  for (const traceId of ['0'.repeat(32), (named ?? '').toUpperCase().replace(/^./, 'A'), 'abc']) {
    refused(400, 'malformed_request', await open(taskBody({ traceId })));
  }
});

test('a task expires after its ttlMs: an hour unless it says otherwise, a day at most', async () => {
  const before = clock.wallMs();
  const hour = await openTask(service);
  assert.ok(Date.parse(hour.expiresAt) - before >= 3_600_000 && Date.parse(hour.expiresAt) - before < 3_660_000);
  refused(400, 'malformed_request', await open(taskBody({ ttlMs: 86_400_001 })));
  refused(400, 'malformed_request', await open(taskBody({ ttlMs: 0 })));
  expecting(201, await open(taskBody({ ttlMs: 86_400_000 })));

  const short = await openTask(service, { ttlMs: 1000 });
  assert.equal((await decide(service, short)).decision, 'allow');
  clock.advance(1000);
  assert.equal((await decide(service, short)).reason, 'task_expired');
  assert.equal(expecting(200, await get(short.taskId)).status, 'expired');
});

test('a closed task allows nothing more; closing it again changes nothing', async () => {
  const task = await openTask(service);
  assert.equal(expecting(200, await close(task.taskId, { reason: 'done' })).status, 'closed');
  assert.equal((await decide(service, task)).reason, 'task_closed');
  assert.equal(expecting(200, await close(task.taskId, { reason: 'done' })).status, 'closed');
  assert.equal(expecting(200, await get(task.taskId)).status, 'closed');
  const recorded = await eventsOf(service, `task-${task.taskId}`);
  assert.deepEqual(
    recorded.map(({ type }) => type),
    ['TaskOpened', 'TaskClosed'],
  );
});

test('a task can be closed without a body', async () => {
  const task = await openTask(service);
  assert.equal(expecting(200, await close(task.taskId, undefined)).status, 'closed');
});

test('a task of another host cannot be seen, closed or used', async () => {
  const task = await openTask(service);
  const body = callBody(task);
  assert.equal((await decide(service, task, body)).decision, 'allow');

  const unseen = refused(404, 'not_found', await get(task.taskId, stranger));
  assert.deepEqual(unseen, refused(404, 'not_found', await get(randomUUID(), stranger)));
  refused(404, 'not_found', await close(task.taskId, {}, stranger));
  for (const phase of ['response', 'outcome']) {
    const said = { taskId: task.taskId, ...(phase === 'response' ? { result: {} } : { status: 'succeeded' }) };
    refused(404, 'not_found', await service.call(stranger, 'POST', `/v1/calls/${body.callId}/${phase}`, said));
  }
  refused(409, 'already_exists', await open(taskBody({ taskId: task.taskId }), stranger));

  // A stranger learns nothing of a call: known or not, with this body or another, the answer is the same.
  for (const more of [{}, { arguments: { key: 'b' } }, { callId: randomUUID() }]) {
    const answer = await decide(service, task, { ...body, ...more }, stranger);
    assert.deepEqual([answer.decision, answer.reason], ['deny', 'task_unknown']);
    assert.notEqual(answer.traceId, task.traceId);
  }
  const calls = await eventsOf(service, `calls-${task.taskId}`);
  assert.equal(calls.length, 1);
  assert.equal(expecting(200, await get(task.taskId)).status, 'open');
  assert.equal((await decide(service, task, body)).decision, 'allow');
});

test('a task never joins the trace of a task of another host', async () => {
  const { traceId } = await openTask(service);
  refused(403, 'forbidden', await open(taskBody({ traceId }), stranger));
  const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
  assert.notEqual(expecting(201, await open(taskBody(), stranger, headers)).traceId, traceId);
  assert.equal(expecting(201, await open(taskBody(), 'host', headers)).traceId, traceId);
  const joined = await eventsOf(service, `trace-${traceId}`);
  assert.deepEqual(
    joined.map(({ data }) => data.host),
    ['local-host', 'local-host'],
  );
});

test('a misspelt limit does not vanish: unknown fields of a task are a 400', async () => {
  const scope = [{ capability: 'memory', effects: ['read'], maxcalls: 1 }];
  refused(400, 'malformed_request', await open(taskBody({ scope })));
  refused(400, 'malformed_request', await open(taskBody({ ttl: 1000 })));
  refused(400, 'malformed_request', await open(taskBody({ user: { id: 'a', roles: [], role: 'x' } })));
  refused(400, 'malformed_request', await open(taskBody({ scope: [{ capability: 'memory', effects: ['destroy'] }] })));
});

test('purpose and attributes stand in no event', async () => {
  const secret = unique('secret');
  const user = { id: 'ada', roles: [], attributes: { note: secret } };
  const task = await openTask(service, { purpose: secret, user });
  const recorded = JSON.stringify(await eventsOf(service, `task-${task.taskId}`), (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  assert.ok(!recorded.includes(secret));
  assert.equal(expecting(200, await get(task.taskId)).purpose, secret);
});

test('an auditor lists tasks of all hosts by status and host, the newest first, by pages, without their content', async () => {
  const host = await addPrincipal(service, ['host']);
  const opened: Answered[] = [];
  for (const purpose of ['a secret purpose', 'b', 'c'])
    opened.push(expecting(201, await open(taskBody({ purpose, ttlMs: 60_000 }), host)));
  const [oldest, closed, newest] = opened.map(({ taskId }) => taskId);
  expecting(200, await close(closed, {}, host));
  const listed = async (query: string) =>
    expecting(200, await service.call('auditor', 'GET', `/v1/audit/tasks?host=${host.name}&${query}`));
  const idsOf = ({ items }: Answered) => items.map(({ taskId }: Answered) => taskId);

  const all = await listed('');
  assert.deepEqual(idsOf(all), [newest, closed, oldest]);
  assert.deepEqual(
    all.items.map(({ status }: Answered) => status),
    ['open', 'closed', 'open'],
  );
  const { user, pins, traceId } = all.items[2];
  assert.deepEqual([user.id, pins[0].capability, traceId], ['ada', 'memory', opened[0].traceId]);
  assert.ok(!JSON.stringify(all).includes('secret'));
  assert.deepEqual(idsOf(await listed('status=open')), [newest, oldest]);
  assert.deepEqual(idsOf(await listed('status=closed')), [closed]);
  const first = await listed('limit=2');
  assert.deepEqual(idsOf(first), [newest, closed]);
  assert.deepEqual(idsOf(await listed(`limit=2&cursor=${first.next}`)), [oldest]);
  refused(400, 'malformed_request', await service.call('auditor', 'GET', '/v1/audit/tasks?status=lost'));
  refused(400, 'malformed_request', await service.call('auditor', 'GET', '/v1/audit/tasks?cursor=x'));
  clock.advance(61_000);
  assert.deepEqual(idsOf(await listed('status=open')), []);
  assert.deepEqual(idsOf(await listed('status=expired')), [newest, oldest]);
});

test('a task that is refused leaves no key behind, and its id can be used', async () => {
  const { keyring: keys } = service.service.stores;
  const others = await openTask(service);
  const operations = Array.from({ length: 500 }, (_, index) => `${'x'.repeat(100)}${index}`);
  const large = Array.from({ length: 10 }, () => ({ capability: 'memory', operations }));
  for (const [status, code, more, who] of [
    [403, 'forbidden', { traceId: others.traceId }, stranger],
    [413, 'too_large', { scope: large }, 'host'],
    [400, 'malformed_request', { ttlMs: 0 }, 'host'],
  ] as const) {
    const taskId = randomUUID();
    refused(status, code, await open({ taskId, ...taskBody(more) }, who));
    assert.equal(await keys.get(taskId), undefined, code);
    expecting(201, await open({ taskId, ...taskBody() }));
    assert.notEqual(await keys.get(taskId), undefined);
  }
});
