import assert from 'node:assert/strict';
import { newCapability, scopeOf } from '../support/actors.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask, proposal } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** The content that operations may see, have seen, and never needed. */

const KEY = 'AKIAIOSFODNN7EXAMPLQ';
let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

const mail = (): Answered => {
  const { manifest, ...rest } = proposal();
  const needs = { arguments: [{ path: '/to', accepts: ['pii:email'] }, '/body', '/cc'], context: ['crm/*'] };
  const operations = { send: { effects: ['write'], needs }, ping: { effects: ['read'] } };
  const properties = { to: {}, body: {}, cc: {} };
  const tools = [
    { name: 'send', inputSchema: { type: 'object', properties } },
    { name: 'ping', inputSchema: { type: 'object', properties: { host: {}, deep: { properties: { port: {} } } } } },
  ];
  return { ...rest, definition: { tools }, manifest: { ...manifest, operations } };
};

const exposureOf = async (capability: string, more = ''): Promise<Answered[]> =>
  expecting(200, await service.call('reviewer', 'GET', `/v1/audit/exposure?capability=${capability}${more}`)).items;

test('each operation has what it may see, what it has seen, and what it never needed', async () => {
  const capability = await newCapability(service, mail());
  const task = await openTask(service, { scope: scopeOf(capability) });
  const send = async (more: Answered) =>
    expecting(
      200,
      await service.call(
        'host',
        'POST',
        '/v1/calls/authorize',
        callBody(task, { capability, operation: 'send', ...more }),
      ),
    );
  const context = [
    { id: 'a', source: 'crm/canary', level: 'internal', content: 'canary-item' },
    { id: 'b', source: 'chat/canary', content: 'canary-refused' },
  ];
  await send({ arguments: { to: 'ada', body: `canary ${KEY}`, 'canary-name': 1 }, context });
  await send({ arguments: { to: 'canary-bob' } });
  const items = await exposureOf(capability);
  const sent = items.find(({ operation }: Answered) => operation === 'send');
  assert.deepEqual(sent.declared, {
    arguments: ['/to', '/body', '/cc'],
    context: ['crm/*'],
    sensitivity: 'internal',
    accepts: [{ path: '/to', types: ['pii:email'] }],
  });
  assert.equal(sent.calls, 2);
  const seen = Object.fromEntries(sent.seen.map((each: Answered) => [each.path ?? each.source, each]));
  assert.deepEqual(Object.keys(seen).sort(), ['/body', '/to', 'crm/*']);
  assert.deepEqual([seen['/to'].calls, seen['/to'].bytes, seen['/to'].levels], [2, 13, { public: 2 }]);
  assert.deepEqual([seen['crm/*'].bytes, seen['crm/*'].levels], [11, { internal: 1 }]);
  assert.deepEqual(sent.unused, ['/cc']);
  assert.equal(sent.redactions.not_declared, 1);
  assert.deepEqual(sent.refusals, { context_not_needed: 1 });
  const ping = items.find(({ operation }: Answered) => operation === 'ping');
  assert.deepEqual([ping.calls, ping.unused.sort()], [0, ['/deep/port', '/host']]);
  for (const canary of ['canary', KEY]) assert.ok(!JSON.stringify(items).includes(canary), canary);
});

test('of erased content only the events count, and a time range counts its calls alone', async () => {
  const capability = await newCapability(service, mail());
  const task = await openTask(service, { scope: scopeOf(capability) });
  const context = [{ id: 'a', source: 'crm/x', level: 'internal', content: 'text' }];
  const body = callBody(task, { capability, operation: 'send', arguments: { to: 'ada' }, context });
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
  expecting(200, await service.call('admin', 'POST', `/v1/tasks/${task.taskId}/shred`, { reason: 'test' }));
  const sent = (await exposureOf(capability)).find(({ operation }: Answered) => operation === 'send');
  assert.deepEqual(
    sent.seen.map(({ path, source, bytes }: Answered) => [path ?? source, bytes]),
    [['crm/*', 4]],
  );
  const later = await exposureOf(capability, `&from=${new Date(Date.now() + 86_400_000).toISOString()}`);
  assert.ok(later.every(({ calls }: Answered) => calls === 0));
});

test('labels only rise, cover what is below their places, and count once for a call', async () => {
  const { manifest, ...rest } = proposal();
  const operations = { send: { effects: ['write'] } };
  const properties = { to: {}, extra: {}, list: {}, empty: {} };
  const tools = [{ name: 'send', inputSchema: { type: 'object', properties } }];
  const version = {
    ...rest,
    definition: { tools },
    manifest: { ...manifest, operations, sensitivity: 'restricted' },
  };
  const capability = await newCapability(service, version);
  const task = await openTask(service, { scope: scopeOf(capability) });
  const args = { to: 'ada@lovelace.org', extra: { a: 'x' }, list: ['a', 'b', 'c'], empty: {} };
  const labels = [
    { path: '/to', level: 'restricted', categories: ['financial'] },
    { path: '/to', level: 'public' },
    { path: '/extra', level: 'internal' },
    { path: '/list/1', level: 'internal' },
  ];
  const body = callBody(task, { capability, operation: 'send', arguments: args, labels });
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
  const [{ seen, unused }] = await exposureOf(capability);
  const shown = seen.map(({ path, calls, bytes, levels, categories }: Answered) => [
    path,
    calls,
    bytes,
    levels,
    categories,
  ]);
  assert.deepEqual(shown, [
    ['/empty', 1, 2, { public: 1 }, {}],
    ['/extra/*', 1, 1, { internal: 1 }, {}],
    ['/list/*', 1, 3, { internal: 1 }, {}],
    ['/to', 1, 16, { restricted: 1 }, { financial: 1, 'pii:email': 1 }],
  ]);
  assert.deepEqual(unused, []);
});
