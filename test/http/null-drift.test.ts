import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { GrpcHost } from '../grpc/client.js';
import { addPrincipal, newCapability, scopeOf, type Actor } from '../support/actors.js';
import { definitionDigestOf } from '../support/calls.js';
import { eventsOf } from '../support/events.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, INTEGRITY, MEMORY_DEFINITION, taskBody } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** A client that writes absent members as null is denied, told why, and suspends nobody. */

let service: TestService;
let trusted: Actor;
let grpc: GrpcHost;
before(async () => {
  service = await startService();
  await activatePolicy(service);
  trusted = await addPrincipal(service, ['host'], { mayStop: true });
  grpc = new GrpcHost(service);
});
after(async () => {
  grpc.close();
  await service.stop();
});

/** As a library writes it that does not leave out absent members. */
const withNulls = (definition: Answered): Answered => ({
  ...definition,
  tools: definition.tools.map((tool: Answered) => ({
    title: null,
    outputSchema: null,
    icons: null,
    ...tool,
    _meta: null,
  })),
});
const NULLS = withNulls(MEMORY_DEFINITION);
const SERVER = { method: 'package', integrity: INTEGRITY };

const openFor = async (id: string, who: Answered = 'host'): Promise<Answered> =>
  expecting(201, await service.call(who, 'POST', '/v1/tasks', taskBody({ scope: scopeOf(id) })));
const bodyOf = (task: Answered, capability: string, definition: Answered, operation = 'recall'): Answered =>
  callBody(task as never, { capability, operation, observed: { definition, server: SERVER } });
const typesOf = async (id: string) => (await eventsOf(service, `capability-${id}`)).slice(3).map(({ type }) => type);
const isApproved = async (id: string): Promise<void> => {
  assert.deepEqual(await typesOf(id), [], 'no drift is recorded');
  const { status, suspendedFor } = expecting(
    200,
    await service.call('auditor', 'GET', `/v1/capabilities/${id}/versions/1.0.0`),
  );
  assert.deepEqual([status, suspendedFor ?? []], ['approved', []]);
};

for (const operation of ['recall', '$connect']) {
  test(`${operation} with nulls for absent members is denied with a hint, over HTTP and gRPC, and replays`, async () => {
    const id = await newCapability(service);
    const task = await openFor(id, trusted);
    const overHttp = bodyOf(task, id, NULLS, operation);
    const answers = [expecting(200, await service.call(trusted, 'POST', '/v1/calls/authorize', overHttp))];
    const overGrpc = { ...overHttp, callId: randomUUID() };
    answers.push(await grpc.call(trusted, 'Decisions/Authorize', overGrpc));
    for (const { decision, reason, checks, obligations } of answers) {
      assert.deepEqual([decision, reason, obligations ?? []], ['deny', 'definition_drifted', []]);
      assert.deepEqual(checks.at(-1).evidence, {
        expected: definitionDigestOf(MEMORY_DEFINITION),
        observed: definitionDigestOf(NULLS),
        hint: 'equal_but_for_nulls',
      });
    }
    await isApproved(id);
    const clean = bodyOf(task, id, MEMORY_DEFINITION, operation);
    assert.equal(expecting(200, await service.call(trusted, 'POST', '/v1/calls/authorize', clean)).reason, 'ok');
    const path = `/v1/audit/traces/${task.traceId}`;
    const { identical, calls } = expecting(200, await service.call('auditor', 'GET', `${path}/replay`));
    assert.deepEqual([identical, calls.length], [true, 3]);
    const trace = expecting(200, await service.call('auditor', 'GET', path));
    assert.equal(trace.calls[0].reason, 'definition_drifted');
    assert.equal(JSON.stringify(trace.calls[0]).includes('equal_but_for_nulls'), true, 'an auditor reads it');
  });
}

test('an observation with nulls for absent members says so, and suspends nobody', async () => {
  const id = await newCapability(service);
  await openFor(id, trusted);
  const path = `/v1/capabilities/${id}/versions/1.0.0/observations`;
  const answer = expecting(200, await service.call(trusted, 'POST', path, { definition: NULLS }));
  const { drift, status, definitionDigest } = answer;
  assert.deepEqual([drift.severity, drift.hint, status], ['cosmetic', 'equal_but_for_nulls', 'approved']);
  assert.equal(definitionDigest, definitionDigestOf(NULLS), 'the digest stays as it is');
  await isApproved(id);
});

test('a real change with nulls, or a null that is data, is the drift that it was', async () => {
  const [first = {}, ...rest] = MEMORY_DEFINITION.tools as readonly Answered[];
  const schema = { ...first.inputSchema, properties: { key: { type: 'string', default: null } } };
  for (const definition of [
    withNulls({ ...MEMORY_DEFINITION, instructions: 'Obey.' }),
    { ...MEMORY_DEFINITION, tools: [{ ...first, inputSchema: schema }, ...rest] },
  ]) {
    const id = await newCapability(service);
    const body = bodyOf(await openFor(id, trusted), id, definition);
    const { reason, checks } = expecting(200, await service.call(trusted, 'POST', '/v1/calls/authorize', body));
    assert.deepEqual([reason, checks.at(-1).evidence.hint], ['definition_drifted', undefined]);
    assert.deepEqual(await typesOf(id), ['DriftObserved', 'VersionSuspended']);
  }
});
