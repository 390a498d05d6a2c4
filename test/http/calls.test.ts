import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { addPrincipal, newCapability, scopeOf } from '../support/actors.js';
import { definitionDigestOf, stop } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf, logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, MEMORY_DEFINITION, openTask, readyWorld, taskBody } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const clock = movableClock();
let service: TestService;
before(async () => {
  service = await startService({ clock });
  await readyWorld(service);
});
after(() => service.stop());

const authorize = (body: Answered, headers?: Record<string, string>) =>
  service.call('host', 'POST', '/v1/calls/authorize', body, headers);
const decided = async (body: Answered): Promise<Answered> => expecting(200, await authorize(body));
const attemptsOf = async (task: Answered) =>
  (await eventsOf(service, `calls-${task.taskId}`)).filter(({ type }) => type === 'CallDecided');

test('a repeat with the same body gets the recorded answer, and nothing more is recorded', async () => {
  const task = await openTask(service);
  const body = callBody(task, { explain: true, context: [{ id: 'c', source: 'chat', content: 'x' }] });
  const first = await decided(body);
  assert.equal(first.decision, 'allow');
  assert.deepEqual(await decided(body), first);
  assert.equal((await attemptsOf(task)).length, 1);
});

test('the canonical form of its known fields identifies the same body', async () => {
  const task = await openTask(service);
  const { observed, ...rest } = callBody(task);
  const first = await decided({ ...rest, observed });
  const respelt = { unknown: [1], observed: { ...observed, seen: true }, ...rest, callId: rest.callId.toUpperCase() };
  assert.deepEqual(await decided(respelt), first);
  assert.equal((await attemptsOf(task)).length, 1);
});

test('a repeat after the allow has expired is the next attempt', async () => {
  const task = await openTask(service);
  const body = callBody(task);
  const first = await decided(body);
  clock.advance(first.leaseMs);
  const second = await decided(body);
  assert.equal(second.decision, 'allow');
  assert.ok(BigInt(second.position) > BigInt(first.position));
  assert.ok(second.expiresAt > first.expiresAt);
  assert.deepEqual(
    (await attemptsOf(task)).map(({ data }) => data.attempt),
    [1, 2],
  );
});

test('a repeat of a deny is decided again, and its attempt is recorded', async () => {
  const task = await openTask(service);
  const body = callBody(task, { arguments: {} });
  const first = await decided(body);
  const second = await decided(body);
  assert.deepEqual([first.reason, second.reason], ['arguments_invalid', 'arguments_invalid']);
  assert.notEqual(second.position, first.position);
  assert.equal((await attemptsOf(task)).length, 2);
});

test('an allow is void after a directive against one of its targets, lifted since or not', async () => {
  const task = await openTask(service);
  const body = callBody(task);
  const first = await decided(body);
  const target = { type: 'task', taskId: task.taskId };
  await stop(service, target, { lift: true });
  const second = await decided(body);
  assert.equal(second.decision, 'allow');
  assert.ok(second.epoch > first.epoch);
  assert.notEqual(second.position, first.position);

  const lift = await stop(service, target);
  const stopped = await decided(body);
  assert.deepEqual([stopped.decision, stopped.reason], ['deny', 'disabled']);
  await lift();
  assert.equal((await decided(body)).decision, 'allow');
  assert.equal((await attemptsOf(task)).length, 4);
});

test('an allow outlives a directive that matches none of its targets', async () => {
  const task = await openTask(service);
  const body = callBody(task);
  const first = await decided(body);
  await stop(service, { type: 'operation', capability: 'memory', operation: 'store' }, { lift: true });
  assert.deepEqual(await decided(body), first);
});

test('the same callId in another task is another call', async () => {
  const [one, two] = [await openTask(service), await openTask(service)];
  const body = callBody(one);
  assert.equal((await decided(body)).decision, 'allow');
  const other = await decided({ ...body, taskId: two.taskId, arguments: { key: 'b' } });
  assert.equal(other.decision, 'allow');
  assert.equal(other.traceId, two.traceId);
});

test('a digest and a definition in one request that disagree are refused, and nothing is recorded', async () => {
  const task = await openTask(service);
  const end = await logEnd(service);
  const server = callBody(task).observed.server;
  const definition = { ...MEMORY_DEFINITION, instructions: 'Something else.' };
  const disagreeing = { definition, definitionDigest: task.pins[0].definitionDigest, server };
  refused(400, 'malformed_request', await authorize(callBody(task, { observed: disagreeing })));
  assert.equal(await logEnd(service), end);
  const agreeing = { definition: MEMORY_DEFINITION, definitionDigest: definitionDigestOf(MEMORY_DEFINITION), server };
  assert.equal((await decided(callBody(task, { observed: agreeing }))).decision, 'allow');
});

test('unknown fields of a file in an observed definition are ignored too', async () => {
  const capability = await newCapability(service);
  const task = await openTask(service, { scope: scopeOf(capability) });
  const file = { path: 'run.sh', digest: `sha256:${'0'.repeat(64)}`, size: 1, mode: 493 };
  const observed = { definition: { files: [file] }, server: { method: 'none' } };
  assert.equal((await decided(callBody(task, { capability, observed }))).reason, 'definition_drifted');
});

test('an allow expires within its lease, and never after its task', async () => {
  const long = await openTask(service);
  const before = clock.wallMs();
  const allow = await decided(callBody(long));
  const expiresMs = Date.parse(allow.expiresAt);
  assert.ok(expiresMs >= before + allow.leaseMs && expiresMs <= clock.wallMs() + allow.leaseMs);
  const short = await openTask(service, { ttlMs: 1000 });
  assert.equal((await decided(callBody(short))).expiresAt, short.expiresAt);
});

test('a deny holds no outbound, no targets and no expiry; an allow holds all three', async () => {
  const task = await openTask(service);
  const allow = await decided(callBody(task));
  assert.deepEqual(allow.outbound, { arguments: { key: 'a' }, context: [], redactions: [], refusals: [], labels: [] });
  assert.deepEqual(
    new Set(allow.targets),
    new Set([
      'all',
      'capability:memory',
      'version:memory@1.0.0',
      'operation:memory/recall',
      'source:npm:@example/memory',
      'category:notes',
      'effect:read',
      'host:local-host',
      `task:${task.taskId}`,
    ]),
  );
  const deny = await decided(callBody(task, { operation: 'forget' }));
  for (const member of ['outbound', 'targets', 'expiresAt', 'credential']) assert.ok(!(member in deny), member);
});

test('a decision has a durable record at its position, which holds no content', async () => {
  const task = await openTask(service);
  const secret = randomUUID();
  for (const more of [{}, { operation: 'forget' }]) {
    const body = callBody(task, { arguments: { key: secret }, ...more });
    const answer = await decided(body);
    const record = (await attemptsOf(task)).find(({ data }) => data.callId === body.callId);
    assert.ok(record !== undefined && BigInt(answer.position) >= record.position);
    assert.deepEqual(
      [record.data.decision, record.data.reason, record.data.basis.directives, record.traceId],
      [answer.decision, answer.reason, answer.epoch, task.traceId],
    );
    assert.ok(!JSON.stringify(record.data).includes(secret));
  }
});

test('context items are refused by name, and their content goes nowhere', async () => {
  const task = await openTask(service);
  const context = [0, 1].map((id) => ({ id: `c${id}`, source: 'chat', level: 'public', content: 'hello' }));
  const { outbound } = await decided(callBody(task, { context }));
  assert.deepEqual(outbound.context, []);
  assert.deepEqual(
    outbound.refusals.map(({ path }: Answered) => path),
    ['/context/0', '/context/1'],
  );
});

test('a failed check shows its evidence; the others show theirs with explain alone', async () => {
  const task = await openTask(service);
  const shown = ({ checks }: Answered) => checks.filter((each: Answered) => each.evidence !== undefined);
  const allow = await decided(callBody(task));
  assert.equal(allow.checks.length, 14);
  assert.deepEqual(shown(allow), []);
  const explained = await decided(callBody(task, { explain: true }));
  assert.equal(shown(explained).length, 14);
  const deny = await decided(callBody(task, { operation: 'forget' }));
  assert.deepEqual(
    shown(deny).map(({ check, outcome }: Answered) => [check, outcome]),
    [['capability_scope', 'fail']],
  );
  assert.equal(shown(await decided(callBody(task, { operation: 'forget', explain: true }))).length, 8);
  const unknown = { ...task, taskId: randomUUID() };
  assert.equal(shown(await decided(callBody(unknown))).length, 1);
  assert.equal(shown(await decided(callBody(unknown, { explain: true }))).length, 4);
});

test('$connect passes over the checks of a single call, and needs no definition yet', async () => {
  const task = await openTask(service);
  const { server } = callBody(task).observed;
  const connect = await decided(callBody(task, { operation: '$connect', arguments: {}, observed: { server } }));
  assert.equal(connect.decision, 'allow');
  const skipped = connect.checks.filter(({ outcome }: Answered) => outcome === 'skipped');
  assert.deepEqual(
    skipped.map(({ check }: Answered) => check),
    [
      'definition',
      'capability_scope',
      'task_scope',
      'user_authority',
      'arguments',
      'approval',
      'context',
      'credential',
    ],
  );
  const call = await decided(callBody(task, { observed: { server } }));
  assert.equal(call.reason, 'definition_missing');
});

const traceparent = (traceId: string) => ({ traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
const newTrace = () => randomUUID().replaceAll('-', '');

test('a call that belongs to no task is recorded under the trace of its caller, or under a new one', async () => {
  const stray = () => ({ ...callBody({ taskId: randomUUID(), pins: [] }), observed: { server: { method: 'none' } } });
  const traceId = newTrace();
  const refusedCall = expecting(200, await authorize(stray(), traceparent(traceId)));
  assert.deepEqual([refusedCall.reason, refusedCall.traceId], ['task_unknown', traceId]);
  const unregistered = expecting(200, await authorize({ ...stray(), capability: 'nothing' }, traceparent(traceId)));
  assert.deepEqual([unregistered.reason, unregistered.traceId], ['capability_unregistered', traceId]);
  for (const header of [undefined, 'nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`]) {
    const answer = expecting(200, await authorize(stray(), header === undefined ? {} : { traceparent: header }));
    assert.match(answer.traceId, /^(?!0{32})[0-9a-f]{32}$/);
    assert.notEqual(answer.traceId, traceId);
  }
  const records = await eventsOf(service, 'refusals-local-host');
  assert.equal(records.filter((event) => event.traceId === traceId).length, 2);
});

test('a refused call never joins the trace of a task of another host', async () => {
  const stranger = await addPrincipal(service, ['host']);
  const task = await openTask(service);
  const body = callBody(task);
  const answer = expecting(
    200,
    await service.call(stranger, 'POST', '/v1/calls/authorize', body, traceparent(task.traceId)),
  );
  assert.equal(answer.reason, 'task_unknown');
  assert.notEqual(answer.traceId, task.traceId);
});

test('a call in a task is recorded under the trace of the task, not under its own traceparent', async () => {
  const task = expecting(201, await service.call('host', 'POST', '/v1/tasks', taskBody(), traceparent(newTrace())));
  const answer = expecting(200, await authorize(callBody(task, { capability: 'nothing' }), traceparent(newTrace())));
  assert.deepEqual([answer.reason, answer.traceId], ['capability_unregistered', task.traceId]);
});
