import assert from 'node:assert/strict';
import {
  addPrincipal,
  newCapability,
  newVersion,
  scopeOf,
  unique,
  versionCommand,
  type Actor,
} from '../support/actors.js';
import { decide, definitionDigestOf } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf, logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import {
  activatePolicy,
  expecting,
  INTEGRITY,
  MEMORY_DEFINITION,
  openTask,
  proposal,
  taskBody,
} from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const HOUR_MS = 3_600_000;
const clock = movableClock();
let service: TestService;
let other: Actor;
/** A host whose report alone stops a version for all. */
let trusted: Actor;
before(async () => {
  service = await startService({ clock });
  await activatePolicy(service);
  other = await addPrincipal(service, ['host']);
  trusted = await addPrincipal(service, ['host'], { mayStop: true });
});
after(() => service.stop());

/** A definition that differs from the pinned one, and from those of other markers. */
const drifted = (marker = 'x'): Answered => ({ ...MEMORY_DEFINITION, instructions: `Remembers ${marker}.` });

const observe = (id: string, definition: Answered, more: Answered = {}, who: Answered = 'host', version = '1.0.0') =>
  service.call(who, 'POST', `/v1/capabilities/${id}/versions/${version}/observations`, { definition, ...more });
const observed = async (...observation: Parameters<typeof observe>): Promise<Answered> =>
  expecting(200, await observe(...observation));
const statusOf = async (id: string, version = '1.0.0'): Promise<string> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/capabilities/${id}/versions/${version}`)).status;
const openFor = async (id: string, who: Answered = 'host', more: Answered = {}): Promise<Answered> =>
  expecting(201, await service.call(who, 'POST', '/v1/tasks', taskBody({ scope: scopeOf(id), ...more })));
const reasonFor = async (task: Answered, who: Answered = 'host') => (await decide(service, task, {}, who)).reason;
const eventTypes = async (id: string) => (await eventsOf(service, `capability-${id}`)).slice(3).map(({ type }) => type);
/** The version of a capability in the review queue. */
const queued = async (id: string): Promise<Answered> =>
  expecting(200, await service.call('reviewer', 'GET', '/v1/reviews?status=pending&limit=1000')).items.find(
    ({ capability }: Answered) => capability === id,
  );
const activeFor = async (id: string): Promise<Answered[]> =>
  expecting(200, await service.call('auditor', 'GET', '/v1/directives')).active.filter(
    ({ target }: Answered) => target.capability === id,
  );

test('an observation of the pinned definition is no drift and appends nothing', async () => {
  const id = await newCapability(service);
  await openFor(id);
  const end = await logEnd(service);
  const { definitionDigest, status, drift } = await observed(id, MEMORY_DEFINITION);
  assert.deepEqual([definitionDigest, status, drift], [definitionDigestOf(MEMORY_DEFINITION), 'approved', undefined]);
  assert.equal(await logEnd(service), end);
});

test('drift seen by a host with an open task suspends for that host at once, with its evidence and for all to see', async () => {
  const id = await newCapability(service);
  const tasks = { host: await openFor(id), other: await openFor(id, other) };
  const answer = await observed(id, drifted());
  assert.deepEqual([answer.status, answer.suspendedFor], ['approved', ['local-host']]);
  assert.equal(answer.definitionDigest, definitionDigestOf(drifted()));
  assert.equal(answer.drift.severity, 'instruction-change');
  assert.equal(answer.drift.changes[0].path, '/instructions');
  assert.equal(await reasonFor(tasks.host), 'version_suspended');
  assert.equal(await reasonFor(tasks.other, other), 'ok');

  const [drift, suspended] = (await eventsOf(service, `capability-${id}`)).slice(3);
  assert.deepEqual([drift?.type, suspended?.type], ['DriftObserved', 'VersionSuspended']);
  assert.deepEqual([suspended?.data.host, suspended?.data.directiveId], ['local-host', undefined]);
  assert.equal(drift?.data.diff.severity, 'instruction-change');
  const snapshot = await service.service.stores.log.blob(drift?.data.snapshot);
  assert.deepEqual(JSON.parse(Buffer.from(snapshot ?? []).toString()), drifted());
  assert.deepEqual(await activeFor(id), []);
  assert.deepEqual((await queued(id))?.suspendedFor, ['local-host']);
});

test('a second host that reports the same digest suspends the version for all, with its directive', async () => {
  const id = await newCapability(service);
  const tasks = { host: await openFor(id), other: await openFor(id, other) };
  await observed(id, drifted('a'));
  assert.equal((await observed(id, drifted('a'))).status, 'approved', 'another instance is no second host');
  const alone = await observed(id, drifted('b'), {}, other);
  assert.deepEqual(
    [alone.status, alone.suspendedFor],
    ['approved', [other.name, 'local-host'].sort()],
    'another digest is no second report',
  );
  assert.equal((await observed(id, drifted('b'))).status, 'suspended');
  assert.equal(await reasonFor(tasks.host), 'version_suspended');
  assert.equal(await reasonFor(tasks.other, other), 'version_suspended');
  const suspended = (await eventsOf(service, `capability-${id}`)).at(-1);
  const [directive] = await activeFor(id);
  assert.deepEqual(directive.target, { type: 'version', capability: id, version: '1.0.0' });
  assert.deepEqual([directive.cause, directive.issuedBy], [suspended?.id, 'local-host']);
  assert.equal((await queued(id))?.status, 'suspended');
});

test('a host that may stop others suspends for all with its first report', async () => {
  const id = await newCapability(service);
  const theirs = await openFor(id, other);
  const task = await openFor(id, trusted);
  const server = { method: 'package', integrity: INTEGRITY };
  const call = await decide(service, task, { observed: { definition: drifted(), server } }, trusted);
  assert.equal(call.reason, 'definition_drifted');
  assert.equal(await statusOf(id), 'suspended');
  assert.equal(await reasonFor(theirs, other), 'version_suspended');
  assert.equal((await activeFor(id)).length, 1);
});

for (const [name, more, end] of [
  ['no task', undefined, undefined],
  ['a task of another capability alone', { scope: [] }, undefined],
  ['a closed task', {}, 'close'],
  ['an expired task', { ttlMs: 1000 }, 'expire'],
] as const) {
  test(`drift seen by a host with ${name} suspends for that host alone, whatever the host may do`, async () => {
    const id = await newCapability(service);
    const elsewhere = await openFor(id, other);
    const mine = more === undefined ? undefined : await openFor(id, trusted, more);
    if (end === 'close') expecting(200, await service.call(trusted, 'POST', `/v1/tasks/${mine.taskId}/close`, {}));
    if (end === 'expire') clock.advance(1000);
    const answer = await observed(id, drifted(), {}, trusted);
    assert.deepEqual([answer.status, answer.suspendedFor], ['approved', [trusted.name]]);
    assert.equal(await reasonFor(await openFor(id, trusted), trusted), 'version_suspended');
    assert.equal(await reasonFor(elsewhere, other), 'ok');
    assert.deepEqual(await activeFor(id), []);
    assert.equal(await statusOf(id), 'approved');
  });
}

test('the word of a host without a task is no first report; it counts once the host has a task', async () => {
  const id = await newCapability(service);
  const elsewhere = await openFor(id, other);
  assert.deepEqual((await observed(id, drifted())).suspendedFor, ['local-host']);
  assert.equal((await observed(id, drifted(), {}, other)).status, 'approved');
  await openFor(id);
  assert.equal((await observed(id, drifted())).status, 'suspended');
  assert.equal(await reasonFor(elsewhere, other), 'version_suspended');
  assert.equal((await activeFor(id)).length, 1);
});

test('reports from before a reinstatement are settled: it takes two hosts again', async () => {
  const id = await newCapability(service);
  const tasks = { host: await openFor(id), other: await openFor(id, other) };
  const reinstate = async () => expecting(200, await versionCommand(service, 'reviewer', id, 'reinstate'));
  await observed(id, drifted());
  await reinstate();
  assert.deepEqual([await reasonFor(tasks.host), await queued(id)], ['ok', undefined]);
  assert.deepEqual((await observed(id, drifted(), {}, other)).suspendedFor, [other.name]);
  assert.equal(await reasonFor(tasks.host), 'ok');
  assert.equal((await observed(id, drifted())).status, 'suspended');
  await reinstate();
  assert.equal((await observed(id, drifted())).status, 'approved');
});

test('a drift is recorded and suspends, however long it is when it is spelled out', async () => {
  const id = await newCapability(service);
  await openFor(id);
  const [tool, ...tools] = MEMORY_DEFINITION.tools;
  const named = (index: number): [string, object] => [`${index}${'\u0001'.repeat(990)}`, { type: 'string' }];
  const properties = Object.fromEntries(Array.from({ length: 100 }, (_, index) => named(index)));
  const definition = {
    ...MEMORY_DEFINITION,
    tools: [{ ...tool, inputSchema: { type: 'object', properties } }, ...tools],
  };
  const { suspendedFor, drift } = await observed(id, definition);
  assert.deepEqual([suspendedFor, drift.severity, drift.truncated], [['local-host'], 'authority-change', true]);
  assert.ok(drift.changes.length > 10);
  assert.deepEqual(drift.supplyChain, []);
});

test('a host suspends for all three times an hour, past that for itself alone', async () => {
  const id = await newCapability(service);
  const reinstate = async () => expecting(200, await versionCommand(service, 'reviewer', id, 'reinstate'));
  const theirs = await openFor(id, other);
  await openFor(id);
  await openFor(id, trusted, { ttlMs: 86_400_000 });
  for (const marker of ['a', 'b', 'a']) {
    assert.equal((await observed(id, drifted(marker), {}, trusted)).status, 'suspended');
    await reinstate();
  }
  const past = await observed(id, drifted('c'), {}, trusted);
  assert.deepEqual([past.status, past.suspendedFor], ['approved', [trusted.name]]);
  assert.equal(await reasonFor(theirs, other), 'ok');
  assert.equal((await observed(id, drifted('c'))).status, 'suspended', 'the limit is each host’s own');
  await reinstate();
  clock.advance(HOUR_MS);
  assert.equal((await observed(id, drifted('a'), {}, trusted)).status, 'suspended');
});

test('a version that is suspended for one host is reinstated for it', async () => {
  const id = await newCapability(service);
  await observed(id, drifted());
  const task = await openFor(id);
  assert.equal(await reasonFor(task), 'version_suspended');
  expecting(200, await versionCommand(service, 'reviewer', id, 'reinstate'));
  assert.equal(await reasonFor(task), 'ok');
});

test('the digest of another approved version denies and suspends nothing', async () => {
  const id = await newCapability(service);
  const task = await openFor(id);
  await newVersion(service, id, proposal('2.0.0', { definition: drifted() }));
  const end = await logEnd(service);
  const answer = await observed(id, drifted());
  assert.equal(answer.status, 'approved');
  assert.equal(await logEnd(service), end);
  const server = { method: 'package', integrity: INTEGRITY };
  const call = await decide(service, task, { observed: { definition: drifted(), server } });
  assert.equal(call.reason, 'definition_drifted');
  assert.equal(await reasonFor(task), 'ok');
});

test('the digest of a version that is not approved any more suspends like any other', async () => {
  const id = await newCapability(service);
  await openFor(id);
  await newVersion(service, id, proposal('2.0.0', { definition: drifted() }));
  expecting(200, await versionCommand(service, 'operator', id, 'revoke', {}, '2.0.0'));
  assert.deepEqual((await observed(id, drifted())).suspendedFor, ['local-host']);
});

test('an equal definition passes under every probe; another one under another probe denies and suspends nothing', async () => {
  const probe = { protocolVersion: '2025-11-25', clientCapabilities: { roots: {} } };
  const bare = { protocolVersion: '2026-07-28', clientCapabilities: {} };
  const id = await newCapability(service, proposal('1.0.0', { probe }));
  const task = await openFor(id, trusted);
  const end = await logEnd(service);
  const difference = { expected: probe, observed: bare };
  const answer = await observed(id, drifted(), { probe: bare }, trusted);
  assert.deepEqual([answer.status, answer.suspendedFor, answer.probe], ['approved', [], difference]);
  assert.equal((await observed(id, MEMORY_DEFINITION, { probe: bare }, trusted)).probe, undefined);
  assert.equal(await logEnd(service), end);
  const server = { method: 'package', integrity: INTEGRITY };
  const asked = (definition: Answered, asking: Answered) =>
    decide(service, task, { observed: { definition, probe: asking, server } }, trusted);
  assert.equal((await asked(MEMORY_DEFINITION, bare)).decision, 'allow');
  const call = await asked(drifted(), bare);
  const digests = { expected: definitionDigestOf(MEMORY_DEFINITION), observed: definitionDigestOf(drifted()) };
  assert.deepEqual(
    [call.reason, call.checks.at(-1).evidence],
    ['definition_drifted', { ...digests, probe: difference }],
  );
  const long = { ...bare, clientCapabilities: { experimental: { note: 'x'.repeat(2000) } } };
  const { evidence } = (await asked(drifted(), long)).checks.at(-1);
  assert.match(evidence.probe.observed.clientCapabilities, /^sha256:/, 'cut to what an event can hold');
  assert.deepEqual(await eventTypes(id), []);
  const replay = `/v1/audit/traces/${task.traceId}/replay?minPosition=${call.position}`;
  assert.equal(expecting(200, await service.call('auditor', 'GET', replay)).identical, true);
  const same = { clientCapabilities: { roots: {} }, protocolVersion: '2025-11-25' };
  assert.equal((await observed(id, drifted(), { probe: same }, trusted)).status, 'suspended');
});

test('an observation without news appends nothing', async () => {
  const id = await newCapability(service);
  await openFor(id);
  await openFor(id, trusted);
  await observed(id, drifted());
  const reported = await logEnd(service);
  await observed(id, drifted());
  assert.equal(await logEnd(service), reported);
  await observed(id, drifted(), {}, trusted);
  const end = await logEnd(service);
  assert.equal((await observed(id, drifted())).status, 'suspended');
  const { serverInfo: _, ...rest } = drifted();
  await observed(id, { ...rest, tools: [...rest.tools].reverse(), resources: [{ uri: 'x:1', name: 'x' }] });
  await observed(id, drifted(), {}, other);
  assert.equal(await logEnd(service), end);
});

test('of a version at most 16 drifted definitions are kept, one each', async () => {
  const id = await newCapability(service);
  await openFor(id, trusted, { ttlMs: 86_400_000 });
  const suspend = async (marker: string) => {
    assert.equal((await observed(id, drifted(marker), {}, trusted)).status, 'suspended');
    expecting(200, await versionCommand(service, 'reviewer', id, 'reinstate'));
    clock.advance(HOUR_MS / 3);
  };
  for (let marker = 0; marker < 18; marker += 1) await suspend(String(marker));
  await suspend('0');
  const drifts = (await eventsOf(service, `capability-${id}`)).filter(({ type }) => type === 'DriftObserved');
  const snapshots = drifts.map(({ data }) => data.snapshot).filter((digest) => digest !== undefined);
  assert.equal(drifts.length, 19, 'every suspension has its evidence');
  assert.equal(snapshots.length, 16);
  assert.equal(new Set(snapshots).size, 16);
});

test('a digest that differs denies and asks for the definition, which then suspends', async () => {
  const id = await newCapability(service);
  const task = await openFor(id);
  const server = { method: 'package', integrity: INTEGRITY };
  const definitionDigest = definitionDigestOf(drifted());
  const digestAlone = await decide(service, task, { observed: { definitionDigest, server } });
  assert.deepEqual([digestAlone.decision, digestAlone.reason], ['deny', 'definition_drifted']);
  assert.deepEqual(digestAlone.obligations, ['submit_definition']);
  assert.equal(await statusOf(id), 'approved');
  assert.deepEqual(await eventTypes(id), []);

  const whole = await decide(service, task, { observed: { definition: drifted(), server } });
  assert.deepEqual([whole.decision, whole.reason], ['deny', 'definition_drifted']);
  assert.deepEqual(whole.obligations, []);
  assert.deepEqual((await queued(id))?.suspendedFor, ['local-host']);
  assert.deepEqual(await eventTypes(id), ['DriftObserved', 'VersionSuspended']);
  const again = await decide(service, task, { observed: { definition: drifted(), server } });
  assert.equal(again.reason, 'version_suspended');
});

test('a drifted call stops the allows of its host, and those of others once it is for all', async () => {
  const id = await newCapability(service);
  const server = { method: 'package', integrity: INTEGRITY };
  const allowed = async (who: Answered) => {
    const task = await openFor(id, who);
    const { callId, decision } = await decide(service, task, {}, who);
    assert.equal(decision, 'allow');
    const response = { taskId: task.taskId, result: { content: [] } };
    return async () => expecting(200, await service.call(who, 'POST', `/v1/calls/${callId}/response`, response));
  };
  const [mine, theirs, later] = [await allowed('host'), await allowed(other), await allowed(other)];
  const see = async (who: Answered) =>
    decide(service, await openFor(id, who), { observed: { definition: drifted(), server } }, who);
  await see('host');
  const stopped = await mine();
  assert.deepEqual([stopped.verdict, stopped.content], ['rejected', undefined]);
  assert.equal((await theirs()).verdict, 'accepted');
  await see(trusted);
  assert.equal((await later()).verdict, 'rejected');
});

test('a drift suspension is reinstated by a reviewer, which lifts its directive in the same append', async () => {
  const id = await newCapability(service);
  const task = await openFor(id);
  await openFor(id, trusted);
  await observed(id, drifted(), {}, trusted);
  const [directive] = await activeFor(id);
  expecting(200, await versionCommand(service, 'reviewer', id, 'reinstate'));
  assert.deepEqual(await activeFor(id), []);
  const lifted = (await eventsOf(service, 'directives')).find(
    ({ type, data }) => type === 'DirectiveLifted' && data.id === directive.id,
  );
  const reinstated = (await eventsOf(service, `capability-${id}`)).at(-1);
  assert.equal(reinstated?.type, 'VersionReinstated');
  assert.deepEqual([reinstated?.data.directiveId, lifted?.time], [directive.id, reinstated?.time]);
  assert.equal(await reasonFor(task), 'ok');
});

test('an observation of an unknown version is a 404, one that has no digest a 400', async () => {
  refused(404, 'not_found', await observe(unique('none'), drifted()));
  const id = await newCapability(service);
  refused(404, 'not_found', await observe(id, drifted(), {}, 'host', '9.9.9'));
  refused(400, 'malformed_request', await observe(id, { tools: [{ name: 'a' }, { name: 'a' }] }));
  refused(400, 'malformed_request', await observe(id, undefined));
  assert.deepEqual(await eventTypes(id), []);
});

test('a suspension stops every task that pins the version, and no other version', async () => {
  const id = await newCapability(service);
  const old = await openFor(id);
  await newVersion(service, id, proposal('2.0.0'));
  const task = await openTask(service, { scope: scopeOf(id) });
  await observed(id, drifted());
  assert.equal(await reasonFor(old), 'version_suspended');
  assert.equal(await reasonFor(task), 'ok');
});
