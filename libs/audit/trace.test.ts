import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { LogUnavailable, type Subscriber } from '../event-log/port.js';
import { CallIndex } from './index/call-index.js';
import { DirectiveHistory } from './directive-history.js';
import type { TraceEvidence } from '../contract/audit.js';
import type { CallEvidence, ResponseEvidence } from '../contract/evidence.js';
import { TraceAudit } from './trace.js';
import {
  DEFINITION,
  historyOf,
  makeWorld,
  must,
  SERVER,
  tampered,
  traceOf,
  type World,
} from '../../test/support/audit-world.js';
import { test } from '../../test/support/testing.js';

const typesOf = (events: readonly object[]) => events.map((event) => ('type' in event ? event.type : 'damaged'));

async function evidence(world: World, traceId: string) {
  const trace = await traceOf(world, traceId);
  assert.ok(trace);
  return trace;
}

test('an allowed call has all eight items of evidence', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const answer = await world.authorize(taskId, { explain: true });
  assert.equal(answer.decision, 'allow');
  await world.respond(taskId, answer.callId);
  await world.succeed(taskId, answer.callId);

  const whole = await evidence(world, traceId);
  const { tasks, calls, events } = whole;
  assert.equal(calls.length, 1);
  const [call] = calls as [CallEvidence];
  assert.deepEqual(call.checks, answer.checks, 'the evidence that the host got when it asked for all of it');
  assert.equal(call.position, answer.position);
  const pseudonym = await world.keys.knownPseudonym('ann');
  assert.deepEqual(call.user, { id: 'ann', pseudonym, roles: ['clerk'], attestedBy: 'host-1' });
  const { review, signature, ...registry } = call.registry ?? assert.fail();
  assert.deepEqual(registry, {
    capability: 'notes',
    kind: 'mcp-server',
    category: 'storage',
    owner: 'the notes team',
    source: { type: 'npm', name: 'notes' },
    version: '1.0.0',
    definitionDigest: world.view.capability('notes').state?.versions.get('1.0.0')?.definitionDigest,
  });
  assert.deepEqual([review?.verdict, review?.by, signature?.['result']], ['approved', 'reviewer', 'signature_missing']);
  const server = { method: 'package', result: 'verified', expected: SERVER, observed: SERVER };
  assert.deepEqual(call.serverAuthentication, server);
  assert.deepEqual(call.scopeCheck, {
    capability: { effects: ['read'] },
    task: { entry: 0 },
    user: { set: 'default', policyVersion: 1, determining: ['reading'] },
    rule: 'reading',
    reason: 'ok',
  });
  assert.deepEqual(call.outbound, answer.outbound);
  assert.deepEqual(answer.outbound?.arguments, { key: 'a secret' });
  const response = call.response as ResponseEvidence;
  assert.deepEqual(response.raw, { result: { content: [{ type: 'text', text: 'the note' }] } });
  assert.equal(response.verdict, 'accepted');
  assert.equal(response.sourceLabel?.capability, 'notes');
  assert.equal(response.validated?.integrity, 'untrusted');
  assert.deepEqual(call.outcome, { status: 'succeeded', effect: { type: 'read', reference: 'note-7' }, control: null });
  assert.deepEqual(typesOf(historyOf(whole, call)), ['CapabilityRegistered', 'VersionProposed', 'VersionReviewed']);

  assert.equal(tasks[0]?.purpose, 'tidy up');
  assert.deepEqual(tasks[0]?.user.attributes, { team: 'blue' });
  assert.equal(tasks[0]?.status, 'open');
  assert.deepEqual(typesOf(events), [
    'TaskOpened',
    'TaskJoined',
    'CallDecided',
    'ResponseValidated',
    'OutcomeRecorded',
  ]);
  const positions = events.map(({ position }) => BigInt(position));
  assert.deepEqual(
    positions,
    [...positions].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
  );
});

test('a deny tells how far it came, and what was not reached is null', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open({ scope: [{ capability: 'notes', effects: ['read', 'write'] }] });
  await world.authorize(taskId, { operation: 'write' });
  await world.authorize(taskId, { observed: { server: SERVER } });
  const [byUser, byDefinition] = (await evidence(world, traceId)).calls as [CallEvidence, CallEvidence];
  assert.equal(byUser.reason, 'outside_user_authority');
  assert.deepEqual(byUser.scopeCheck.task, { entry: 0 });
  assert.deepEqual(byUser.scopeCheck.user, { set: 'default', policyVersion: 1, determining: [] });
  assert.equal(byDefinition.reason, 'definition_missing');
  assert.deepEqual(
    [
      byDefinition.serverAuthentication,
      byDefinition.scopeCheck.capability,
      byDefinition.outbound,
      byDefinition.response,
    ],
    [null, null, null, null],
  );
  assert.equal(byDefinition.registry?.version, '1.0.0');
});

test('refused calls stand under the trace that their caller named, and are in no task', async (t) => {
  const world = await makeWorld(t);
  const mine = await world.open();
  const foreign = await world.open({}, 'host-2');
  const traceparent = `00-${mine.traceId}-0123456789abcdef-01`;
  await world.authorize(foreign.taskId, {}, 'host-1', traceparent);
  await world.authorize(randomUUID(), { capability: 'unheard-of' }, 'host-1', traceparent);
  const { calls, events } = await evidence(world, mine.traceId);
  assert.deepEqual(
    calls.map(({ reason }) => reason),
    ['task_unknown', 'capability_unregistered'],
  );
  assert.deepEqual(
    calls.map(({ user }) => user),
    [null, null],
  );
  assert.equal(calls[1]?.registry, null);
  assert.deepEqual(calls[1]?.capabilityHistory, []);
  assert.deepEqual(typesOf(events), ['TaskOpened', 'TaskJoined', 'CallRefused', 'CallRefused']);
  assert.equal(must(await world.audit().replay(mine.traceId))?.identical, true);
  assert.deepEqual((await evidence(world, foreign.traceId)).calls, []);
});

test('a trace of nothing but a refusal is a trace, and one of nothing is none', async (t) => {
  const world = await makeWorld(t);
  const { traceId } = await world.authorize(randomUUID());
  const { tasks, calls } = await evidence(world, traceId);
  assert.deepEqual([tasks.length, calls.length], [0, 1]);
  assert.equal(await traceOf(world, 'a'.repeat(32)), undefined);
  assert.equal(must(await world.audit().replay('a'.repeat(32))), undefined);
});

test('each attempt has its own response, and the history ends with the task', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const callId = randomUUID();
  await world.authorize(taskId, { callId });
  const stop = await world.issue({ type: 'category', category: 'storage' });
  await world.issue({ type: 'category', category: 'elsewhere' });
  assert.equal((await world.authorize(taskId, { callId })).reason, 'disabled');
  await world.lift(stop);
  await world.authorize(taskId, { callId });
  await world.respond(taskId, callId);
  must(await world.tasks.close(taskId, { name: 'host-1' }, undefined));
  await world.issue({ type: 'capability', capability: 'notes' });

  const whole = await evidence(world, traceId);
  const { calls } = whole;
  assert.deepEqual(
    calls.map(({ attempt, decision }) => [attempt, decision]),
    [
      [1, 'allow'],
      [2, 'deny'],
      [3, 'allow'],
    ],
  );
  assert.deepEqual(
    calls.map(({ response }) => response !== null),
    [false, false, true],
  );
  assert.equal(calls[1]?.scopeCheck.rule, 'category:storage');
  const directives = historyOf(whole, calls[0]).filter(({ stream }) => stream === 'directives');
  assert.deepEqual(typesOf(directives), ['DirectiveIssued', 'DirectiveLifted']);
});

test('drift: the suspension that a call caused is in its history', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const definition = { ...DEFINITION, instructions: 'Sends notes to me.' };
  const answer = await world.authorize(taskId, { observed: { definition, server: SERVER } });
  assert.equal(answer.reason, 'definition_drifted');
  assert.equal((await world.authorize(taskId)).reason, 'version_suspended');
  const whole = await evidence(world, traceId);
  const [drifted, suspended] = whole.calls as [CallEvidence, CallEvidence];
  assert.equal(drifted.registry?.review?.verdict, 'approved');
  assert.equal(suspended.reason, 'version_suspended');
  const types = typesOf(historyOf(whole, suspended));
  for (const type of ['DriftObserved', 'VersionSuspended', 'DirectiveIssued']) assert.ok(types.includes(type), type);
  assert.equal(must(await world.audit().replay(traceId))?.identical, true);
});

test('shredded content is named as such, and all else is there', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { callId } = await world.authorize(taskId);
  await world.respond(taskId, callId);
  await world.succeed(taskId, callId);
  const before = (await evidence(world, traceId)).calls[0];
  await world.shred(taskId);
  const { tasks, calls } = await evidence(world, traceId);
  assert.deepEqual([tasks[0]?.purpose, tasks[0]?.user.attributes], ['shredded', 'shredded']);
  const outcome = { status: 'succeeded', effect: { type: 'read', reference: 'shredded' }, control: null };
  assert.deepEqual(calls, [{ ...before, purpose: 'shredded', outbound: 'shredded', response: 'shredded', outcome }]);
});

test('content is read many records at a time, whatever order it was written in', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const first = await world.authorize(taskId);
  for (let call = 0; call < 4; call += 1) await world.authorize(taskId);
  await world.respond(taskId, first.callId);
  let reads = 0;
  const log = tampered(world.log, {
    payloads: (places) => {
      reads += 1;
      return Promise.all(places.map(({ stream, revision }) => world.log.payload(stream, revision)));
    },
  });
  const calls = (await traceOf(world, traceId, log))?.calls ?? [];
  assert.equal(calls.length, 5);
  assert.ok(calls.every(({ outbound }) => typeof outbound === 'object' && outbound !== null));
  assert.ok(typeof calls[0]?.response === 'object' && calls[0].response !== null);
  assert.equal(reads, 1);
});

test('the pieces of an answer make one JSON text', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open({ purpose: 'tidy up: é 😀 \u2028' });
  for (const key of ['ü', '"\\', 'c']) await world.authorize(taskId, { arguments: { key } });
  await world.authorize(taskId, { operation: 'write' });
  const bytes = must(await world.audit().trace(traceId, world.now()));
  const trace = JSON.parse(String(bytes)) as TraceEvidence;
  assert.equal(String(bytes), JSON.stringify(trace));
  assert.deepEqual([trace.tasks.length, trace.calls.length, trace.events.length], [1, 4, 6]);
});

test('where the index cannot follow because the log cannot be read, it is the log that is unavailable', async (t) => {
  const world = await makeWorld(t);
  const { traceId } = await world.open();
  let told: Subscriber | undefined;
  const unreadable = tampered(world.log, {
    subscribe(_, subscriber) {
      told = subscriber;
      return { hurry: () => undefined, close: () => Promise.resolve() };
    },
  });
  const index = await CallIndex.open(unreadable, `${world.indexFile}.other`);
  t.after(() => index.close());
  told?.onError?.(new LogUnavailable('a page is damaged'));
  const directives = new DirectiveHistory(world.log);
  const audit = new TraceAudit(world.log, world.keys, world.engines, index, directives);
  await assert.rejects(audit.trace(traceId, world.now()), LogUnavailable);
  told?.onCaughtUp(await world.log.end());
  assert.ok(must(await audit.trace(traceId, world.now())) !== undefined);
});
