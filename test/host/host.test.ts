import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connectHost, ServiceError, type HostOptions } from '../../libs/host/index.js';
import { hostOf, scopeOf } from '../support/guarded.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

const ways: Record<string, () => Partial<HostOptions>> = {
  http: () => ({}),
  grpc: () => ({ grpc: { address: service.server.grpc } }),
};

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    assert.ok(tries < 1000, 'it never came');
    await delay(5);
  }
}

for (const [way, options] of Object.entries(ways)) {
  test(`a host follows the service's own feed, which renews its lease (${way})`, async (t) => {
    const host = await hostOf(service, options());
    t.after(() => host.close());
    const stale: unknown[] = [];
    host.onChange((state) => void stale.push(state.stale));
    const beats = new Set<string | undefined>();
    for (let times = 0; times < 52; times += 1) {
      beats.add(host.state().lastBeat);
      await delay(50);
    }
    assert.ok(beats.size >= 3, 'heartbeats count');
    const [feed] = host.state().feeds;
    assert.deepEqual([feed?.name, feed?.interrupted], ['watch', undefined]);
    const { epoch = 0 } = host.state();
    const beganMs = performance.now();
    const body = { target: { type: 'category', category: 'none' }, reason: 'é€𝄞' };
    const { id } = expecting(201, await service.call('operator', 'POST', '/v1/directives', body));
    await until(() => host.state().epoch === epoch + 1);
    assert.ok(performance.now() - beganMs < 3000, 'by the feed, before a round trip would be due');
    await until(() => host.state().acknowledgedEpoch === epoch + 1);
    const { instances } = expecting(200, await service.call('operator', 'GET', `/v1/directives/${id}/propagation`));
    const mine = instances.find(({ instanceId }: Answered) => instanceId === host.state().instanceId);
    assert.deepEqual([mine?.state, mine?.proven], ['acknowledged', true]);
    expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'over' }));
    await until(() => host.state().acknowledgedEpoch === epoch + 2);
    assert.deepEqual([...new Set(stale)], [false], 'it was never stale meanwhile');
  });

  test(`the plain questions have one shape (${way})`, async (t) => {
    const host = await hostOf(service, options());
    t.after(() => host.close());
    const opened = await host.openTask(scopeOf('memory', { effects: ['read'] }));
    const task = await host.client.getTask(opened.taskId);
    assert.deepEqual({ ...task, unresolved: [] }, { ...opened, unresolved: [] });
    const call = callBody(opened);
    const allowed = await host.client.authorize(call);
    assert.ok(allowed.decision === 'allow');
    assert.deepEqual(allowed.outbound.arguments, { key: 'a' });
    assert.ok(allowed.targets.includes('capability:memory'));
    assert.deepEqual(await host.client.authorize(call), allowed, 'the same call is answered as it was');
    const result = { content: [{ type: 'text', text: 'a note' }] };
    const validated = await host.client.validateResponse(call.callId, { taskId: opened.taskId, result });
    assert.equal(validated.verdict, 'accepted');
    await host.client.recordOutcome(call.callId, { taskId: opened.taskId, status: 'succeeded' });
    const denied = await host.client.authorize(callBody(opened, { operation: 'store' }));
    assert.deepEqual([denied.decision, denied.reason], ['deny', 'outside_task_scope']);
    const conflict = host.client.authorize({ ...call, arguments: { key: 'b' } });
    await assert.rejects(conflict, (error) => error instanceof ServiceError && error.code === 'call_conflict');
    await host.closeTask(opened, 'done');
    const closed = await host.client.authorize(callBody(opened));
    assert.deepEqual([closed.decision, closed.reason], ['deny', 'task_closed']);
  });
}

test('a host that is told the keys at its enrolment takes no others', async () => {
  const other = await startService();
  const keys = expecting(200, await other.call('nobody', 'GET', '/.well-known/jwks.json'));
  await other.stop();
  await assert.rejects(hostOf(service, { keys, readyMs: 300 }), /not ready: bad_signature/);
});

test('a token goes to this machine in the clear, and to no other', async () => {
  const none: Answered = {};
  for (const url of ['http://pdp.example.com', 'http://127.0.0.1.example.com', 'http://10.0.0.1:7070']) {
    await assert.rejects(connectHost({ url, token: 't' }), /only over TLS/);
  }
  const grpc = { address: '10.0.0.1:7071' };
  await assert.rejects(connectHost({ url: service.url, token: 't', grpc, keys: none }), /only over TLS/);
  const wrong = hostOf(service, { token: 'sallyport_wrong', keys: undefined, readyMs: 300 });
  await assert.rejects(wrong, /a valid bearer token is required/);
});

for (const [way, options] of Object.entries(ways)) {
  test(`a token that cannot be sent is in no error and in no state (${way})`, async (t) => {
    const keys = expecting(200, await service.call('nobody', 'GET', '/.well-known/jwks.json'));
    const split = 'sallyport_s3cret\nrest';
    const refused = hostOf(service, { ...options(), keys, token: split, readyMs: 300 });
    await assert.rejects(refused, (error: Error) => !error.message.includes('s3cret'));
    // A file that holds one ends with a newline.
    let token = `${service.tokens.host}\n`;
    const host = await hostOf(service, { ...options(), token: () => token });
    t.after(() => host.close());
    token = split;
    await assert.rejects(host.openTask(scopeOf('memory')), (error: Error) => !String(error).includes('s3cret'));
    const rotated = expecting(200, await service.call('admin', 'POST', '/v1/principals/local-host/rotate'));
    service.tokens.host = rotated.token;
    await until(() => host.state().feeds[0]?.interrupted !== undefined);
    await delay(300);
    assert.ok(!JSON.stringify(host.state()).includes('s3cret'));
  });
}

test('a secret in the URL goes nowhere', async () => {
  const url = service.url.replace('://', '://name:s3cret@');
  await assert.rejects(hostOf(service, { url }), (error: Error) => !error.message.includes('s3cret'));
});

test('what goes to this machine in the clear goes through no proxy', async (t) => {
  let asked = 0;
  const proxy = createServer((socket) => {
    asked += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  process.env['grpc_proxy'] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  t.after(() => {
    delete process.env['grpc_proxy'];
    proxy.close();
  });
  const host = await hostOf(service, { grpc: { address: service.server.grpc }, readyMs: 2000 }).catch(() => undefined);
  await host?.close();
  assert.deepEqual([asked, host === undefined], [0, false]);
});
