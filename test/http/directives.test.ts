import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import canonicalize from 'canonicalize';
import { addPrincipal, newCapability, newVersion, scopeOf, unique, versionCommand } from '../support/actors.js';
import { decide, stop } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf, logEnd } from '../support/events.js';
import { gate } from '../support/gate.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { approve, callBody, expecting, openTask, proposal, readyWorld, registration } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const clock = movableClock();
const slow = gate();
let service: TestService;
before(async () => {
  service = await startService({ clock, wrapLog: slow.wrap });
  await readyWorld(service);
});
after(() => service.stop());

const issue = (body: Answered, headers?: Record<string, string>) =>
  service.call('operator', 'POST', '/v1/directives', body, headers);
const lift = (id: string) => service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'over' });
const beat = async (who: Answered = 'host') => expecting(200, await service.call(who, 'GET', '/v1/directives'));
const activeOf = async (id: string) => (await beat()).active.find((each: Answered) => each.id === id);
const stateRootOf = (active: Answered[]) => {
  const sorted = active.map(({ id, target, epoch }) => ({ id, target, epoch })).sort((a, b) => (a.id < b.id ? -1 : 1));
  return `sha256:${createHash('sha256')
    .update(canonicalize(sorted) ?? '')
    .digest('hex')}`;
};

/** For each target, a call that it stops and one that it does not, on a capability of their own. */
const TARGETS: Record<string, (id: string, task: Answered) => { target: Answered; spared?: Answered }> = {
  all: () => ({ target: { type: 'all' } }),
  capability: (capability) => ({ target: { type: 'capability', capability } }),
  version: (capability) => ({ target: { type: 'version', capability, version: '1.0.0' } }),
  operation: (capability) => ({
    target: { type: 'operation', capability, operation: 'recall' },
    spared: { operation: 'count' },
  }),
  publisher: (id) => ({ target: { type: 'publisher', publisher: `${id}-publisher` } }),
  source: (id) => ({ target: { type: 'source', source: `npm:@example/${id}` } }),
  category: (id) => ({ target: { type: 'category', category: `${id}-category` } }),
  effect: () => ({ target: { type: 'effect', effect: 'read' }, spared: { operation: 'store' } }),
  host: () => ({ target: { type: 'host', host: 'local-host' } }),
  task: (_, { taskId }) => ({ target: { type: 'task', taskId } }),
};

async function ownWorld(): Promise<{ id: string; task: Answered }> {
  const id = unique('cap');
  const source = { type: 'npm', name: `@example/${id}`, version: '1.0.0' };
  const version = proposal('1.0.0', { source });
  const body = { ...registration(id, version), category: `${id}-category`, publishers: [`${id}-publisher`] };
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', body));
  await approve(service, id);
  return { id, task: await openTask(service, { scope: scopeOf(id) }) };
}

for (const [type, targetOf] of Object.entries(TARGETS)) {
  test(`a directive against ${type} stops what it names from its commit on, and lifting it lets go`, async () => {
    const { id, task } = await ownWorld();
    const bystander = await openTask(service);
    const { target, spared } = targetOf(id, task);
    assert.equal(target.type, type);
    const allow = await decide(service, task);
    assert.equal(allow.decision, 'allow');
    const letGo = await stop(service, target);
    const stopped = await decide(service, task);
    assert.deepEqual([stopped.decision, stopped.reason], ['deny', 'disabled']);
    assert.ok(allow.targets.includes(stopped.rule), `${stopped.rule} is no target of the allow`);
    const { directive } = stopped.checks.at(-1).evidence;
    assert.deepEqual((await activeOf(directive))?.target, target);
    if (spared !== undefined) assert.equal((await decide(service, task, { ...spared, arguments: {} })).reason, 'ok');
    const wide = ['all', 'host', 'effect'].includes(type);
    assert.equal((await decide(service, bystander)).reason, wide ? 'disabled' : 'ok');
    await letGo();
    assert.equal((await decide(service, task)).decision, 'allow');
  });
}

test('a directive against everything also stops $connect and unregistered capabilities', async () => {
  const { task } = await ownWorld();
  const letGo = await stop(service, { type: 'all' });
  assert.equal((await decide(service, task, { operation: '$connect' })).reason, 'disabled');
  assert.equal((await decide(service, task, { capability: 'nothing' })).reason, 'capability_unregistered');
  await letGo();
});

test('each directive on one target has to be lifted', async () => {
  const { id, task } = await ownWorld();
  const target = { type: 'capability', capability: id };
  const [first, second] = [await stop(service, target), await stop(service, target)];
  await first();
  assert.equal((await decide(service, task)).reason, 'disabled');
  await second();
  assert.equal((await decide(service, task)).reason, 'ok');
});

test('a directive is shown with its id, epoch, target and time; its epoch is the revision of the feed', async () => {
  const target = { type: 'category', category: unique('category') };
  const { epoch: before } = await beat();
  const issued = expecting(201, await issue({ target, reason: 'test' }));
  assert.deepEqual(Object.keys(issued).sort(), ['epoch', 'id', 'issuedAt', 'matches', 'position', 'state', 'target']);
  assert.deepEqual([issued.epoch, issued.state, issued.target], [before + 1, 'active', target]);
  const { position: _, matches, ...shown } = issued;
  assert.deepEqual(matches, { capabilities: 0, versions: 0, openTasks: 0 });
  assert.deepEqual(await activeOf(issued.id), {
    ...shown,
    reason: 'test',
    issuedBy: 'local-operator',
  });
  const lifted = expecting(200, await lift(issued.id));
  assert.deepEqual([lifted.id, lifted.epoch], [issued.id, before + 2]);
  assert.equal(await activeOf(issued.id), undefined);
});

/** The two ways in which a create can be repeated. */
const repeatable = () =>
  [
    [{ id: randomUUID().toUpperCase() }, {}],
    [{}, { 'idempotency-key': unique('key') }],
  ] as const;

test('the same id, or the same Idempotency-Key, with the same body is answered from the record', async () => {
  const target = { type: 'category', category: unique('category') };
  const body = { target, reason: 'test' };
  for (const [more, headers] of repeatable()) {
    const { position, ...first } = expecting(201, await issue({ ...body, ...more }, headers));
    await stop(service, { type: 'category', category: 'between' }, { lift: true });
    const { position: later, ...again } = expecting(201, await issue({ ...body, ...more }, headers));
    assert.deepEqual(again, first);
    assert.ok(BigInt(later) >= BigInt(position));
    refused(409, 'already_exists', await issue({ ...body, ...more, reason: 'another' }, headers));
    expecting(200, await lift(first.id));
  }
});

test('a repeat of a directive that has been lifted is refused, and nothing says that it is in force', async () => {
  const { id: capability, task } = await ownWorld();
  const body = { target: { type: 'capability', capability }, reason: 'test' };
  for (const [more, headers] of repeatable()) {
    const { id } = expecting(201, await issue({ ...body, ...more }, headers));
    const propagation = async () =>
      expecting(200, await service.call('operator', 'GET', `/v1/directives/${id}/propagation`));
    const inForce = await propagation();
    assert.deepEqual([inForce.state, inForce.complete], ['active', true]);
    expecting(200, await lift(id));
    const { epoch } = await beat();
    refused(409, 'invalid_transition', await issue({ ...body, ...more }, headers));
    refused(409, 'invalid_transition', await issue({ ...body, ...more, reason: 'another' }, headers));
    assert.equal((await beat()).epoch, epoch, 'nothing is recorded');
    const { state, complete, effectiveAt } = await propagation();
    assert.deepEqual([state, complete, effectiveAt], ['lifted', false, undefined]);
    assert.equal((await decide(service, task)).decision, 'allow');
  }
});

test('an issue tells how many capabilities, versions and open tasks it matches', async () => {
  const { id, task } = await ownWorld();
  await newVersion(service, id, proposal('2.0.0', { source: { type: 'npm', name: `@example/${id}-next` } }));
  const pinned = await openTask(service, { scope: scopeOf(id) });
  const closed = await openTask(service, { scope: scopeOf(id) });
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${closed.taskId}/close`, {}));
  const matched = async (target: Answered): Promise<number[]> => {
    // On a busy machine, the index of tasks may be too slow to answer.
    for (let tries = 0; ; tries += 1) {
      const { id: issued, matches } = expecting(201, await issue({ target, reason: 'test' }));
      expecting(200, await lift(issued));
      if (matches.openTasks === undefined && tries < 20) continue;
      return [matches.capabilities, matches.versions, matches.openTasks];
    }
  };
  assert.deepEqual(await matched({ type: 'capability', capability: id }), [1, 2, 2]);
  assert.deepEqual(await matched({ type: 'version', capability: id, version: '1.0.0' }), [1, 1, 1]);
  assert.deepEqual(await matched({ type: 'version', capability: id, version: '3.0.0' }), [0, 0, 0]);
  assert.deepEqual(await matched({ type: 'operation', capability: id, operation: 'recall' }), [1, 2, 2]);
  assert.deepEqual(await matched({ type: 'operation', capability: id, operation: 'recal' }), [0, 0, 0]);
  assert.deepEqual(await matched({ type: 'publisher', publisher: `${id}-publisher` }), [1, 2, 2]);
  assert.deepEqual(await matched({ type: 'source', source: `npm:@example/${id}` }), [1, 1, 1]);
  assert.deepEqual(await matched({ type: 'category', category: `${id}-category` }), [1, 2, 2]);
  assert.deepEqual(await matched({ type: 'task', taskId: pinned.taskId }), [0, 0, 1]);
  assert.deepEqual(await matched({ type: 'task', taskId: closed.taskId }), [0, 0, 0]);
  const [capabilities = 0, versions = 0, tasks = 0] = await matched({ type: 'all' });
  assert.ok(capabilities >= 2 && versions >= 3 && tasks >= 2);
  assert.deepEqual(await matched({ type: 'host', host: 'local-host' }), [0, 0, tasks]);
  const effect = await matched({ type: 'effect', effect: 'read' });
  assert.ok((effect[0] ?? 0) >= 2 && effect[2] === tasks);
  assert.deepEqual(await matched({ type: 'effect', effect: 'deploy' }), [0, 0, 0]);
  assert.equal(task.pins.length, 1);
});

test('a directive is lifted once', async () => {
  const { id } = expecting(201, await issue({ target: { type: 'category', category: 'once' }, reason: 'test' }));
  expecting(200, await lift(id));
  refused(409, 'invalid_transition', await lift(id));
  refused(404, 'not_found', await lift(randomUUID()));
});

test('a misspelt or incomplete target is a 400, and stops nothing', async () => {
  const end = await logEnd(service);
  for (const target of [
    { type: 'everything' },
    { type: 'capability' },
    { type: 'capability', capability: 'memory', version: '1.0.0' },
    { type: 'all', capability: 'memory' },
    { type: 'effect', effect: 'eat' },
    { type: 'task', taskId: 'one' },
    undefined,
  ]) {
    refused(400, 'malformed_request', await issue({ target, reason: 'test' }));
  }
  refused(400, 'malformed_request', await issue({ target: { type: 'all' } }));
  refused(400, 'malformed_request', await issue({ target: { type: 'all' }, reason: 'x', until: 'tomorrow' }));
  for (const expiresAt of ['tomorrow', '2026-11-22T10:00:00Z', '2020-01-01T00:00:00.000Z']) {
    refused(400, 'malformed_request', await issue({ target: { type: 'all' }, reason: 'x', expiresAt }));
  }
  assert.equal(await logEnd(service), end);
});

test('a directive with an end is lifted by system:expiry after it, and the clock alone changes nothing', async () => {
  const { id: capability, task } = await ownWorld();
  const expiresAt = new Date(clock.wallMs() + 60_000).toISOString();
  const target = { type: 'capability', capability };
  const { id } = expecting(201, await issue({ target, reason: 'a minute', expiresAt }));
  assert.equal((await activeOf(id)).expiresAt, expiresAt);
  const liftedOf = async () =>
    (await eventsOf(service, 'directives')).find(({ type, data }) => type === 'DirectiveLifted' && data.id === id);
  // The event is held back on its way to the log: expired by the clock, yet in force.
  const held = slow.holdNext('directives');
  clock.advance(60_000);
  await held.arrived;
  assert.equal((await decide(service, task)).reason, 'disabled');
  held.release();
  for (let tries = 0; (await liftedOf()) === undefined && tries < 100; tries += 1) await pause(20);
  assert.equal((await liftedOf())?.actor, 'system:expiry');
  assert.equal((await decide(service, task)).reason, 'ok');
});

test('the feed is signed: its signature and its state root hold up to the published keys', async () => {
  for (const category of ['b', 'a', 'c']) await stop(service, { type: 'category', category });
  const { keys } = expecting(200, await service.call('nobody', 'GET', '/.well-known/jwks.json'));
  const { signature, ...unsigned } = await beat();
  const jwk = keys.find(({ kid }: Answered) => kid === unsigned.kid);
  assert.deepEqual([jwk.kty, jwk.crv, 'd' in jwk], ['OKP', 'Ed25519', false]);
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const holds = (bytes: Buffer) => verify(null, bytes, key, Buffer.from(signature, 'base64url'));
  assert.ok(holds(Buffer.from(canonicalize(unsigned) ?? '')));
  assert.ok(!holds(Buffer.from(canonicalize({ ...unsigned, epoch: unsigned.epoch + 1 }) ?? '')));
  const { signed, ...content } = unsigned;
  const [header, payload, proof] = signed.split('.');
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'EdDSA', kid: content.kid });
  assert.ok(verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(proof, 'base64url')), 'RFC 7515');
  assert.equal(Buffer.from(payload, 'base64url').toString(), canonicalize(content), 'it says what the beat says');
  assert.equal(unsigned.stateRoot, stateRootOf(unsigned.active));
  assert.ok(unsigned.active.length >= 3);
  assert.equal(unsigned.leaseMs, 5000);
  assert.match(unsigned.issuedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('each directive event holds the state root after it', async () => {
  const active = new Map<string, Answered>();
  for (const { type, data, revision } of await eventsOf(service, 'directives')) {
    if (type === 'DirectiveIssued') active.set(data.id, { id: data.id, target: data.target, epoch: revision });
    else active.delete(data.id);
    assert.equal(data.stateRoot, stateRootOf([...active.values()]));
  }
});

for (const [command, reason] of [
  ['suspend', 'version_suspended'],
  ['revoke', 'version_revoked'],
] as const) {
  test(`to ${command} a version issues its directive in one append, and the reason is that of the version`, async () => {
    const { id, task } = await ownWorld();
    const { position } = expecting(200, await versionCommand(service, 'operator', id, command));
    const cause = (await eventsOf(service, `capability-${id}`)).at(-1);
    const directive = (await beat()).active.find(({ cause: each }: Answered) => each === cause?.id);
    assert.deepEqual(directive.target, { type: 'version', capability: id, version: '1.0.0' });
    const event = (await eventsOf(service, 'directives')).find(({ data }) => data.id === directive.id);
    assert.ok(event !== undefined && BigInt(position) >= event.position);
    assert.equal((await decide(service, task)).reason, reason);
    refused(409, 'invalid_transition', await lift(directive.id));
    assert.equal((await decide(service, task)).reason, reason);
  });
}

test('reinstating a version lifts its directive, and voids the allows from before', async () => {
  const { id, task } = await ownWorld();
  const body = callBody(task, { capability: id });
  const first = await decide(service, task, body);
  expecting(200, await versionCommand(service, 'operator', id, 'suspend'));
  const { epoch } = await beat();
  expecting(200, await versionCommand(service, 'reviewer', id, 'reinstate'));
  const after = await beat();
  assert.equal(after.epoch, epoch + 1);
  assert.ok(after.active.every(({ target }: Answered) => target.capability !== id));
  const second = await decide(service, task, body);
  assert.deepEqual([second.decision, second.epoch], ['allow', after.epoch]);
  assert.notEqual(second.position, first.position);
});

test('a directive of an operator that matches a suspended version goes before the version’s reason', async () => {
  const { id, task } = await ownWorld();
  expecting(200, await versionCommand(service, 'operator', id, 'suspend'));
  const letGo = await stop(service, { type: 'version', capability: id, version: '1.0.0' });
  assert.equal((await decide(service, task)).reason, 'disabled');
  await letGo();
  assert.equal((await decide(service, task)).reason, 'version_suspended');
});

test('an allow that is on its way to the log when a directive commits becomes a deny', async () => {
  const { id, task } = await ownWorld();
  const held = slow.holdNext(`calls-${task.taskId}`);
  const asked = decide(service, task);
  await held.arrived;
  const issued = expecting(201, await issue({ target: { type: 'capability', capability: id }, reason: 'now' }));
  held.release();
  const answer = await asked;
  assert.deepEqual([answer.decision, answer.reason, answer.epoch], ['deny', 'disabled', issued.epoch]);
  const calls = await eventsOf(service, `calls-${task.taskId}`);
  assert.deepEqual(
    calls.map(({ data }) => data.decision),
    ['deny'],
  );
});

test('a response that is on its way to the log when a directive commits is rejected', async () => {
  const { id, task } = await ownWorld();
  const { callId } = await decide(service, task);
  const held = slow.holdNext(`calls-${task.taskId}`);
  const response = { taskId: task.taskId, result: { content: [{ type: 'text', text: 'late' }] } };
  const sent = service.call('host', 'POST', `/v1/calls/${callId}/response`, response);
  await held.arrived;
  await stop(service, { type: 'capability', capability: id }, { lift: true });
  held.release();
  const { verdict, content, findings } = expecting(200, await sent);
  assert.deepEqual([verdict, content, findings[0].kind], ['rejected', undefined, 'disabled']);
});

test('two operators who issue at once each get an epoch of their own', async () => {
  const operators = [await addPrincipal(service, ['operator']), await addPrincipal(service, ['operator'])];
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      service.call(operators[index % 2] ?? 'operator', 'POST', '/v1/directives', {
        target: { type: 'category', category: unique('race') },
        reason: 'race',
      }),
    ),
  );
  const epochs = answers.map((answer) => expecting(201, answer).epoch);
  assert.equal(new Set(epochs).size, 20);
});

test('reading the active directives is open to every principal', async () => {
  await newCapability(service);
  for (const role of ['host', 'registrar', 'reviewer', 'operator', 'auditor', 'admin']) {
    const { active, position } = await beat(role);
    assert.ok(Array.isArray(active));
    assert.match(position, /^\d+$/);
  }
});
