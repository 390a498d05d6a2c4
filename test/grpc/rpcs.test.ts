import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { messageOf } from '../../libs/wire/protos.js';
import { toMessage } from '../../apps/pdp/grpc/codec.js';
import { addPrincipal, unique } from '../support/actors.js';
import { allowedCall, OVERRIDE, reviewedWith, textResult } from '../support/quarantine.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, proposal, readyWorld, taskBody } from '../support/world.js';
import { descriptionsIn, GrpcHost, refusal, refusedWith, retryIn } from './client.js';
import { after, before, test } from '../support/testing.js';

/** Every call with one message each way: the same answers as over HTTP, and the same refusals. */

let service: TestService;
let host: GrpcHost;
before(async () => {
  service = await startService();
  await readyWorld(service);
  host = new GrpcHost(service);
});
after(async () => {
  host.close();
  await service.stop();
});

const authorize = (body: Answered) => host.call('host', 'Decisions/Authorize', body);

test('a task is opened, read and closed as over HTTP', async () => {
  const body = taskBody({
    taskId: randomUUID(),
    ttlMs: 60_000,
    user: { id: 'ada', roles: ['staff'], attributes: { a: 1 } },
  });
  const opened = await host.call('host', 'Tasks/Open', body);
  assert.deepEqual(expecting(201, await service.call('host', 'POST', '/v1/tasks', body)), opened);
  const got = await host.call('host', 'Tasks/Get', { taskId: opened.taskId, minPosition: opened.position });
  assert.deepEqual(got, expecting(200, await service.call('host', 'GET', `/v1/tasks/${opened.taskId}`)));
  assert.deepEqual([got.status, got.user.attributes, got.purpose], ['open', { a: 1 }, 'test']);
  const closed = await host.call('host', 'Tasks/Close', { taskId: opened.taskId, reason: 'done' });
  assert.equal(closed.status, 'closed');
  assert.equal((await authorize(callBody(opened))).reason, 'task_closed');
});

test('an approval is asked for, waited for and used as over HTTP', async () => {
  const body = taskBody({ approve: { effects: ['write'], by: 'other' } });
  const opened = await host.call('host', 'Tasks/Open', body);
  assert.deepEqual((await host.call('host', 'Tasks/Get', { taskId: opened.taskId })).approve, body.approve);
  const call = () => authorize(callBody(opened, { operation: 'store' }));
  const denied = await call();
  const { id, state, by, why } = denied.approval;
  assert.deepEqual([denied.reason, state, by, why], ['approval_required', 'pending', 'other', ['task']]);
  const waiting = host.call('host', 'Approvals/Get', { id, waitMs: 20_000 });
  const verdict = { verdict: 'granted', reason: 'as agreed' };
  expecting(200, await service.call('approver', 'POST', `/v1/approvals/${id}/decide`, verdict));
  const got = await waiting;
  assert.deepEqual([got.state, got.decidedBy, got.reason], ['granted', 'local-approver', 'as agreed']);
  assert.deepEqual(got, expecting(200, await service.call('host', 'GET', `/v1/approvals/${id}`)));
  assert.equal((await call()).decision, 'allow');
  const other = refusal(host.call(await addPrincipal(service, ['host']), 'Approvals/Get', { id }));
  assert.deepEqual(await other, { status: status.NOT_FOUND, code: 'not_found', fields: [] });
  const word = { grade: 'client', at: new Date().toISOString() };
  const lower = await host.call('host', 'Tasks/Open', taskBody({ approve: { effects: ['write'], by: 'client' } }));
  const spoken = await authorize(callBody(lower, { operation: 'store', approval: word }));
  assert.equal(spoken.decision, 'allow');
});

test('the metadata gives the key of a create and the trace', async () => {
  const trace = randomUUID().replaceAll('-', '');
  const headers = { 'idempotency-key': randomUUID(), traceparent: `00-${trace}-00f067aa0ba902b7-01` };
  const opened = await host.call('host', 'Tasks/Open', taskBody(), headers);
  assert.equal(opened.traceId, trace);
  const again = expecting(201, await service.call('host', 'POST', '/v1/tasks', taskBody(), headers));
  assert.equal(again.taskId, opened.taskId);
  const other = refusal(host.call('host', 'Tasks/Open', taskBody({ purpose: 'other' }), headers));
  assert.deepEqual(await other, { status: status.ALREADY_EXISTS, code: 'already_exists', fields: [] });
});

test('a list that is absent is another thing than one that is empty', async () => {
  const scope = (more: object) => taskBody({ scope: [{ capability: 'memory', ...more }] });
  const ask = async (body: Answered) => (await authorize(callBody(await host.call('host', 'Tasks/Open', body)))).reason;
  assert.equal(await ask(scope({ effects: ['read'] })), 'ok');
  assert.equal(await ask(scope({ operations: [], effects: ['read'] })), 'outside_task_scope');
});

test('a quarantined response is answered, held, and fetched after its release as over HTTP', async () => {
  for (const handling of ['quote', 'hold'] as const) {
    const capability = unique(handling);
    await reviewedWith(service, capability, handling);
    const { callId, taskId } = await allowedCall(service, capability);
    const response = textResult(OVERRIDE);
    const answer = await host.call('host', 'Decisions/ValidateResponse', { callId, taskId, ...response });
    const path = `/v1/calls/${callId}/response`;
    assert.deepEqual(expecting(200, await service.call('host', 'POST', path, { taskId, ...response })), answer);
    assert.deepEqual([answer.verdict, answer.held], ['quarantined', handling === 'hold' ? true : undefined]);
    const fetched = () => host.call('host', 'Decisions/GetResponse', { callId, taskId });
    assert.deepEqual(await fetched(), answer);
    if (handling === 'quote') continue;
    const release = { taskId, reason: 'test' };
    expecting(200, await service.call('reviewer', 'POST', `/v1/calls/${callId}/release`, release));
    const released = await fetched();
    assert.deepEqual(expecting(200, await service.call('host', 'GET', `${path}?taskId=${taskId}`)), released);
    assert.deepEqual([released.content.quarantined, released.content.flagged.length > 0], [true, true]);
    const task = await host.call('host', 'Tasks/Get', { taskId });
    assert.equal(task.integrity, 'tainted');
  }
});

test('a repeat over the other protocol is a repeat, and another body a conflict', async () => {
  const task = await openTask(service);
  for (const more of [{}, { context: [] }, { context: [{ id: 'a', source: 'b', categories: [], content: '' }] }]) {
    const body = callBody(task, more);
    const answer = await authorize(body);
    assert.equal(answer.decision, 'allow');
    assert.deepEqual(expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body)), answer);
    const changed = refusal(authorize({ ...body, arguments: { key: 'b' } }));
    assert.deepEqual(await changed, { status: status.ALREADY_EXISTS, code: 'call_conflict', fields: [] });
  }
  const body = callBody(task);
  const overHttp = expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
  assert.deepEqual(await authorize(body), overHttp);
  const { context: _, ...without } = callBody(task, { context: [] });
  await authorize({ ...without, context: [] });
  assert.equal((await refusal(authorize(without))).code, 'call_conflict');
});

test('a response is validated and an outcome recorded, once', async () => {
  const task = await openTask(service);
  const body = callBody(task);
  await authorize(body);
  const { callId, taskId } = body;
  const result = { content: [{ type: 'text', text: 'a note' }], structuredContent: { n: 1, __proto__x: null } };
  const response = await host.call('host', 'Decisions/ValidateResponse', { callId, taskId, result });
  const path = `/v1/calls/${callId}/response`;
  assert.deepEqual(response, expecting(200, await service.call('host', 'POST', path, { taskId, result })));
  assert.ok(response.content.parts.length > 0);
  const finished = { status: status.FAILED_PRECONDITION, code: 'call_finished', fields: [] };
  assert.deepEqual(await refusal(authorize(body)), finished);
  const outcome = { taskId, status: 'succeeded', effect: { type: 'read', summary: 's' } };
  const recorded = await host.call('host', 'Decisions/RecordOutcome', { callId, ...outcome });
  assert.equal(recorded.callId, callId);
  expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/outcome`, outcome));
  const other = refusal(host.call('host', 'Decisions/RecordOutcome', { callId, ...outcome, status: 'failed' }));
  assert.deepEqual(await other, { status: status.FAILED_PRECONDITION, code: 'invalid_transition', fields: [] });
});

test('who is not known is refused, who is no host may not, and what is of another host is not there', async () => {
  const task = await openTask(service);
  const calls = {
    'Decisions/Authorize': callBody(task),
    'Tasks/Get': { taskId: task.taskId },
    'Tasks/Open': taskBody(),
  };
  const other = await addPrincipal(service, ['host']);
  for (const [rpc, request] of Object.entries(calls)) {
    for (const who of ['nobody', { token: 'sallyport_x' }] as const) {
      const { status: given, code } = await refusal(host.call(who, rpc, request));
      assert.deepEqual([given, code], [status.UNAUTHENTICATED, 'unauthenticated']);
    }
    for (const who of ['admin', 'operator', 'auditor', 'reviewer', 'registrar'] as const) {
      const { status: given, code } = await refusal(host.call(who, rpc, request));
      assert.deepEqual([given, code], [status.PERMISSION_DENIED, 'forbidden']);
    }
  }
  const { status: given, code } = await refusal(host.call(other, 'Tasks/Get', { taskId: task.taskId }));
  assert.deepEqual([given, code], [status.NOT_FOUND, 'not_found']);
  assert.equal((await host.call(other, 'Decisions/Authorize', callBody(task))).reason, 'task_unknown');
});

test('a ceiling holds, and a token that was rotated is worth nothing', async () => {
  const bound = await addPrincipal(service, ['host'], { agents: ['another'] });
  assert.equal((await refusal(host.call(bound, 'Tasks/Open', taskBody()))).code, 'beyond_ceiling');
  expecting(200, await service.call('admin', 'POST', `/v1/principals/${bound.name}/rotate`, {}));
  assert.equal((await refusal(host.call(bound, 'Tasks/Open', taskBody()))).code, 'unauthenticated');
});

test('what is malformed is told by its fields', async () => {
  const task = await openTask(service);
  const body = callBody(task);
  const wrong = refusal(authorize({ ...body, callId: 'x', observed: { server: { method: 'y' } } }));
  assert.deepEqual(await wrong, {
    status: status.INVALID_ARGUMENT,
    code: 'malformed_request',
    fields: ['/call_id', '/observed/server/method'],
  });
  assert.deepEqual((await refusal(authorize({}))).fields.includes('/observed'), true);
  const many = taskBody({ scope: Array.from({ length: 200 }, () => ({ capability: 'É'.repeat(100) })) });
  assert.equal((await refusal(host.call('host', 'Tasks/Open', many))).code, 'malformed_request');
  const noMessage = refusal(host.send('host', 'Decisions/Authorize', Buffer.from([0x0a, 0xff])));
  assert.deepEqual(await noMessage, { status: status.INVALID_ARGUMENT, code: 'malformed_request', fields: [] });
});

test('a path to a wrong field is spelt as in the message', async () => {
  const body = callBody(await openTask(service));
  const fieldsOf = async (more: object) => (await refusal(authorize({ ...body, ...more }))).fields;
  const item = { id: 'a', source: 'b', content: '' };
  const paths = await fieldsOf({
    context: [item, { ...item, level: 'x', categories: ['a', 'x'.repeat(2000)] }],
    observed: { ...body.observed, definitionDigest: 'x', probe: { clientCapabilities: {} } },
  });
  assert.deepEqual([...paths].sort(), [
    '/context/values/1/categories/values/1',
    '/context/values/1/level',
    '/observed/definition_digest',
    '/observed/probe/protocol_version',
  ]);
  const scope = [{ capability: 'memory', maxCalls: 5_000_000, operations: ['x', ''] }];
  const task = await refusal(host.call('host', 'Tasks/Open', taskBody({ scope })));
  assert.deepEqual([...task.fields].sort(), ['/scope/0/max_calls', '/scope/0/operations/values/1']);
});

test('a list that a request must have is the same error over both if it is absent, and may be empty', async () => {
  const lists: Record<string, (body: Answered, list?: unknown[]) => Answered> = {
    '/user/roles': (body, roles) => ({ ...body, user: { id: 'ada', roles } }),
    '/scope': (body, scope) => ({ ...body, scope }),
  };
  for (const [path, having] of Object.entries(lists)) {
    const absent = having(taskBody());
    const { body: overHttp } = await service.call('host', 'POST', '/v1/tasks', absent);
    const error = await host.call('host', 'Tasks/Open', absent).catch((refused: unknown) => refused);
    const { code, fields, descriptions } = { ...refusedWith(error), descriptions: descriptionsIn(error) };
    assert.deepEqual([code, fields], [overHttp.code, [path]]);
    assert.deepEqual(
      overHttp.errors,
      fields.map((field, index) => ({ path: field, message: descriptions[index] })),
    );
    const empty = having(taskBody(), []);
    const { taskId } = await host.call('host', 'Tasks/Open', empty);
    assert.equal((await host.call('host', 'Tasks/Get', { taskId })).status, 'open');
  }
});

test('a refusal says when to send the request again, if that can help', async (t) => {
  const slow = await startService({ env: { SALLYPORT_HOST_REQUESTS_PER_S: '1' } });
  const client = new GrpcHost(slow);
  t.after(async () => {
    client.close();
    await slow.stop();
  });
  const failed = (call: Promise<unknown>) => call.then(() => undefined).catch((refused: unknown) => refused);
  const stale = failed(host.call('host', 'Tasks/Get', { taskId: randomUUID(), minPosition: '9000000000000000000' }));
  assert.equal(retryIn(await stale), 1);
  const calls = Array.from({ length: 40 }, () => failed(client.call('host', 'Tasks/Get', { taskId: randomUUID() })));
  const overloaded = (await Promise.all(calls)).find((error) => refusedWith(error).code === 'overloaded');
  assert.deepEqual([refusedWith(overloaded).status, retryIn(overloaded)], [status.RESOURCE_EXHAUSTED, 1]);
  const large = failed(host.call('host', 'Tasks/Open', taskBody({ purpose: 'x'.repeat(1_100_000) })));
  assert.equal(retryIn(await large), undefined);
});

const wire = (body: Answered, args: string | Buffer): object => {
  const { callId, taskId, capability, operation, observed } = body;
  return {
    call_id: callId,
    task_id: taskId,
    capability,
    operation,
    arguments: Buffer.from(args),
    observed: { definition_digest: observed.definitionDigest, server: observed.server },
  };
};

test('JSON in a message is read as strictly as a body', async () => {
  const body = callBody(await openTask(service));
  const strict = [
    '',
    '{',
    '[]',
    '{"a":1,"a":2}',
    '{"a":9007199254740993}',
    '{"a":"\\ud800"}',
    Buffer.from('{"a":"\xff"}', 'latin1'),
  ];
  for (const args of strict) {
    const { status: given, code } = await refusal(host.send('host', 'Decisions/Authorize', wire(body, args)));
    assert.deepEqual([given, code], [status.INVALID_ARGUMENT, 'malformed_request'], String(args));
  }
  const named = await host.send('host', 'Decisions/Authorize', wire(body, '{"key":"a","__proto__":{"x":1}}'));
  // It was read as a member of its own. The input schema does not declare it, so it does not leave.
  assert.equal(JSON.stringify(named.outbound.arguments), '{"key":"a"}');
  assert.deepEqual(named.outbound.redactions, [{ path: '/arguments/__proto__', type: 'not_declared', count: 1 }]);
});

test('JSON nests as deep as in a body over HTTP and no deeper', async () => {
  const task = await openTask(service);
  const nested = (depth: number): Answered => (depth === 0 ? 1 : { a: nested(depth - 1) });
  for (const [depth, expected] of [
    [62, 'allow'],
    [63, 'too_large'],
  ] as const) {
    const body = callBody(task, { arguments: { key: 'a', deep: nested(depth) } });
    const { body: overHttp } = await service.call('host', 'POST', '/v1/calls/authorize', body);
    assert.equal(overHttp.code ?? overHttp.decision, expected);
    if (expected === 'allow') assert.equal((await authorize(body)).decision, 'allow');
    else assert.equal((await refusal(authorize(body))).code, 'too_large');
  }
});

test('the limits are those of HTTP', async () => {
  const task = await openTask(service);
  const tooLarge = { status: status.INVALID_ARGUMENT, code: 'too_large', fields: [] };
  const large = callBody(task, { arguments: { key: 'a'.repeat(262_144) } });
  assert.deepEqual(await refusal(authorize(large)), tooLarge);
  const item = { id: 'a', source: 'b', content: '' };
  assert.deepEqual(
    await refusal(authorize(callBody(task, { context: Array.from({ length: 257 }, () => item) }))),
    tooLarge,
  );
  const content = (bytes: number) => callBody(task, { context: [{ ...item, content: 'x'.repeat(bytes) }] });
  assert.deepEqual(await refusal(authorize(content(1_048_576))), tooLarge);
  assert.equal((await authorize(content(1_000_000))).decision, 'allow');
  const observed = { definition: proposal().definition, server: large.observed.server };
  assert.equal((await authorize({ ...content(1_100_000), observed })).decision, 'allow');
  const scope = Array.from({ length: 201 }, () => ({ capability: unique('cap') }));
  assert.deepEqual(await refusal(host.call('host', 'Tasks/Open', taskBody({ scope }))), tooLarge);
  const list = (length: number) => Array.from({ length }, () => 1);
  assert.deepEqual(await refusal(authorize(callBody(task, { arguments: { key: 'a', list: list(9_998) } }))), tooLarge);
  const valued = callBody(task, { arguments: { key: 'a', list: list(9_997) } });
  assert.equal((await authorize(valued)).decision, 'allow');
  const response = (length: number) => ({ callId: valued.callId, taskId: task.taskId, result: { list: list(length) } });
  assert.deepEqual(await refusal(host.call('host', 'Decisions/ValidateResponse', response(49_999))), tooLarge);
  assert.equal((await host.call('host', 'Decisions/ValidateResponse', response(49_998))).verdict, 'accepted');
  // Above the largest of them, nothing is read.
  assert.deepEqual(await refusal(authorize(content(9_000_000))), tooLarge);
});

test('a position that is none is malformed, and one that nobody has seen is stale', async () => {
  const bytes = messageOf('sallyport.v1.GetTaskRequest').serialize({ task_id: randomUUID(), min_position: '-1' });
  assert.equal((await refusal(host.send('host', 'Tasks/Get', bytes))).code, 'malformed_request');
  const stale = { task_id: randomUUID(), min_position: '9000000000000000000' };
  const { status: given, code } = await refusal(host.send('host', 'Tasks/Get', stale));
  assert.deepEqual([given, code], [status.UNAVAILABLE, 'view_stale']);
});

test('a text that is not UTF-8 is malformed, and one that has the replacement character is not', async () => {
  const message = (purpose: Buffer) => {
    const bytes = messageOf('sallyport.v1.OpenTaskRequest').serialize(
      toMessage('OpenTaskRequest', taskBody({ purpose: 'x'.repeat(purpose.length) })),
    );
    purpose.copy(bytes, bytes.indexOf('x'.repeat(purpose.length)));
    return bytes;
  };
  for (const wrong of ['ff', 'c0af', 'eda080', 'efbfbdff', 'f09080']) {
    const given = await refusal(host.send('host', 'Tasks/Open', message(Buffer.from(wrong, 'hex'))));
    const { status: code, fields } = given;
    assert.deepEqual([code, given.code, fields], [status.INVALID_ARGUMENT, 'malformed_request', ['/purpose']], wrong);
  }
  const { taskId } = await host.send('host', 'Tasks/Open', message(Buffer.from('a\uFFFDé')));
  assert.equal((await host.call('host', 'Tasks/Get', { taskId })).purpose, 'a\uFFFDé');
});
