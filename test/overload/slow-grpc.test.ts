import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { fullName, messageOf } from '../../libs/wire/protos.js';
import { toMessage } from '../../apps/pdp/grpc/codec.js';
import { FRESHNESS_MS } from '../../apps/pdp/edge/freshness.js';
import { hostOf, refusal, type GrpcHost } from '../grpc/client.js';
import { addPrincipal } from '../support/actors.js';
import { gate } from '../support/gate.js';
import { startService, type Answered, type TestOptions, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { metrics } from './load.js';
import { begin, framed, headersOf, poured, session } from './raw-grpc.js';
import { test, type TestContext } from '../support/testing.js';

/** Hosts and strangers that are slow or silent over gRPC. */

const CLIENT_MS = 1500;
const GONE_MS = 15_000;

async function started(
  t: TestContext,
  env: Record<string, string> = {},
  parts: Pick<TestOptions, 'wrapLog'> = {},
): Promise<TestService> {
  const service = await startService({ ...parts, env: { SALLYPORT_CLIENT_MS: String(CLIENT_MS), ...env } });
  t.after(() => service.stop());
  await readyWorld(service);
  return service;
}

const encodedAs = (type: string, shape: object): Buffer => messageOf(fullName(type)).serialize(toMessage(type, shape));

const HELD = ['sallyport_grpc_calls', 'sallyport_body_bytes', 'sallyport_calls_in_flight'];

async function gone(service: TestService): Promise<void> {
  for (const endMs = performance.now() + GONE_MS; ; await pause(200)) {
    const held = await metrics(service, HELD);
    if (held.every((each) => each === 0)) return;
    assert.ok(performance.now() < endMs, held.join());
  }
}

async function served(host: GrpcHost, task: Answered): Promise<void> {
  assert.equal((await host.call('host', 'Decisions/Authorize', callBody(task))).decision, 'allow');
}

test('whoever has no token is refused before a message is read', async (t) => {
  const service = await started(t);
  const stream = begin(session(t, service), 'sallyport.v1.Decisions/ValidateResponse');
  // It says that 8 MB follow, and sends the first few.
  stream.write(framed(Buffer.alloc(10), 8_000_000));
  assert.equal((await headersOf(stream))['grpc-status'], String(status.UNAUTHENTICATED));
});

test('messages that never end are cut short in time, and others are served meanwhile', async (t) => {
  const service = await started(t);
  const host = hostOf(t, service);
  const task = await openTask(service);
  const on = session(t, service);
  const streams = Array.from({ length: 50 }, () => begin(on, 'sallyport.v1.Decisions/Authorize', service.tokens.host));
  const ends = streams.map(headersOf);
  for (const stream of streams) stream.write(framed(Buffer.alloc(10), 100_000));
  await served(host, task);
  for (const end of ends) assert.equal((await end)['grpc-status'], String(status.DEADLINE_EXCEEDED));
  await gone(service);
});

test('a host that has too many calls open is refused, another one is not', async (t) => {
  const service = await started(t, { SALLYPORT_GRPC_CALLS: '8', SALLYPORT_CLIENT_MS: '60000' });
  const host = hostOf(t, service);
  const task = await openTask(service);
  const on = session(t, service);
  // Idle streams would make way for it; calls whose message is on its way do not.
  const open = Array.from({ length: 4 }, () => begin(on, 'sallyport.v1.Tasks/Get', service.tokens.host));
  for (let tries = 0; tries < 50 && service.service.bounds.grpcCalls.inUse < 4; tries += 1) await pause(20);
  const given = await refusal(host.call('host', 'Decisions/Authorize', callBody(task)));
  assert.deepEqual([given.status, given.code], [status.RESOURCE_EXHAUSTED, 'overloaded']);
  const other = await addPrincipal(service, ['host']);
  assert.equal(typeof (await host.call({ token: other.token }, 'Directives/List', {})).epoch, 'number');
  for (const stream of open) stream.close(constants.NGHTTP2_CANCEL);
  await gone(service);
  await served(host, task);
});

test('a client that never reads its stream loses its connection, and what was kept for it is let go', async (t) => {
  const service = await started(t);
  const host = hostOf(t, service);
  const task = await openTask(service);
  const on = session(t, service);
  const stream = begin(on, 'sallyport.v1.Decisions/AuthorizeStream', service.tokens.host);
  stream.pause();
  const large = () => callBody(task, { arguments: { key: 'x'.repeat(100_000) } });
  for (let each = 0; each < 5; each += 1) {
    stream.write(framed(encodedAs('AuthorizeStreamRequest', { requests: [large(), large()] })));
  }
  const closed = new Promise((resolve) => on.once('close', resolve));
  await served(host, task);
  await Promise.race([closed, pause(GONE_MS).then(() => assert.fail('it still has its connection'))]);
  await gone(service);
  const [cut] = await metrics(service, ['sallyport_grpc_connections_cut_total']);
  assert.equal(cut, 1);
  await served(host, task);
});

test('silent connections make way for a host', async (t) => {
  const service = await started(t, { SALLYPORT_CONNECTIONS: '16' });
  const task = await openTask(service);
  const [hostname = '', port] = service.server.grpc.split(':');
  const sockets = Array.from({ length: 100 }, () => connect(Number(port), hostname).on('error', () => undefined));
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  await pause(300);
  await served(hostOf(t, service), task);
  const [open = Number.NaN] = await metrics(service, ['sallyport_grpc_connections']);
  assert.ok(open <= 16, `${open}`);
});

test('calls that a client gives up cost it neither its connection nor its other calls', async (t) => {
  const service = await started(t);
  const host = hostOf(t, service);
  const task = await openTask(service);
  const on = session(t, service);
  const open = (rpc: string) => begin(on, `sallyport.v1.${rpc}`, service.tokens.host).pause();
  // It ends with an error when its client is gone: the position never arrives.
  const get = open('Tasks/Get');
  get.end(framed(encodedAs('GetTaskRequest', { taskId: task.taskId, minPosition: '999999999' })));
  // Its answer is on the way when it is given up.
  const stream = open('Decisions/AuthorizeStream');
  const large = () => callBody(task, { arguments: { key: 'x'.repeat(100_000) } });
  stream.write(framed(encodedAs('AuthorizeStreamRequest', { requests: [large(), large()] })));
  await pause(400);
  for (const each of [get, stream]) each.close(constants.NGHTTP2_CANCEL);
  await pause(FRESHNESS_MS + CLIENT_MS + 1000);
  assert.deepEqual(await metrics(service, ['sallyport_grpc_connections_cut_total']), [0]);
  assert.equal(on.destroyed, false);
  await gone(service);
  on.destroy();
  await served(host, task);
});

test("a watcher that does not read is ended, and its place is another one's", async (t) => {
  const service = await started(t);
  const on = session(t, service, { initialWindowSize: 100 });
  const closed = new Promise((resolve) => on.once('close', resolve));
  const watch = begin(on, 'sallyport.v1.Directives/Watch', service.tokens.host).pause();
  watch.end(framed(encodedAs('WatchDirectivesRequest', {})));
  await pause(500);
  assert.deepEqual(await metrics(service, ['sallyport_watches']), [1]);
  await Promise.race([
    closed,
    pause(2 * GONE_MS, undefined, { ref: false }).then(() => assert.fail('it still has its connection')),
  ]);
  await pause(100);
  assert.deepEqual(await metrics(service, ['sallyport_watches']), [0]);
});

test('a token that ends while a message is on its way is no token any more', async (t) => {
  const service = await started(t, { SALLYPORT_CLIENT_MS: '60000' });
  const other = await addPrincipal(service, ['host']);
  const on = session(t, service);
  const stream = begin(on, 'sallyport.v1.Directives/List', other.token);
  stream.write(Buffer.alloc(2));
  await pause(300);
  expecting(200, await service.call('admin', 'POST', `/v1/principals/${other.name}/rotate`, {}));
  stream.end(Buffer.alloc(3));
  assert.equal((await headersOf(stream))['grpc-status'], String(status.UNAUTHENTICATED));
  on.destroy();
});

test('messages on a stream that there is no room for stay with their client', async (t) => {
  const { wrap, holdNext } = gate();
  const limit = { SALLYPORT_DEFINITION_BYTES: '1048576', SALLYPORT_CLIENT_MS: '60000' };
  const service = await started(t, limit, { wrapLog: wrap });
  const task = await openTask(service);
  const on = session(t, service, { initialWindowSize: 65_535 });
  const held = holdNext(`calls-${task.taskId}`);
  const stream = begin(on, 'sallyport.v1.Decisions/AuthorizeStream', service.tokens.host).resume();
  const large = () => callBody(task, { arguments: { key: 'x'.repeat(200_000) } });
  const message = framed(encodedAs('AuthorizeStreamRequest', { requests: Array.from({ length: 5 }, large) }));
  const sent = poured(stream, message, 20);
  await held.arrived;
  await pause(1000);
  assert.ok(sent.taken <= 3 * message.length, `${sent.taken / message.length} messages were taken`);
  const answered = new Promise((resolve) => stream.once('trailers', resolve));
  held.release();
  await answered;
  assert.equal(sent.taken, 20 * message.length);
  await gone(service);
  on.destroy();
});
