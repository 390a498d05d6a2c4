import assert from 'node:assert/strict';
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { serviceOf } from '#libs/wire/protos.js';
import { toMessage } from '../../apps/pdp/grpc/codec.js';
import { GrpcHost, refusal } from '../grpc/client.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, openTask, readyWorld } from '../support/world.js';
import { metrics } from './load.js';

/** Hosts and strangers that are slow or silent over gRPC. */

const CLIENT_MS = 1500;
const GONE_MS = 15_000;

async function started(t: TestContext, env: Record<string, string> = {}): Promise<TestService> {
  const service = await startService({ env: { SALLYPORT_CLIENT_MS: String(CLIENT_MS), ...env } });
  t.after(() => service.stop());
  await readyWorld(service);
  return service;
}

function hostOf(t: TestContext, service: TestService): GrpcHost {
  const host = new GrpcHost(service);
  t.after(() => host.close());
  return host;
}

/** HTTP/2 as a client speaks it that keeps to no rules. */
function session(t: TestContext, service: TestService): ClientHttp2Session {
  const opened = connectHttp2(`http://${service.server.grpc}`, { settings: { initialWindowSize: 1024 } });
  opened.on('error', () => undefined);
  t.after(() => opened.destroy());
  return opened;
}

function begin(on: ClientHttp2Session, path: string, token: string | undefined): ClientHttp2Stream {
  const stream = on.request({
    ':method': 'POST',
    ':path': `/sallyport.v1.${path}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  });
  stream.on('error', () => undefined);
  return stream;
}

/** A message with its head; `announced` bytes, where it is to be another number than it has. */
function framed(message: Buffer, announced = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(announced, 1);
  return Buffer.concat([head, message]);
}

const headersOf = (stream: ClientHttp2Stream): Promise<Record<string, unknown>> =>
  new Promise((resolve) => stream.once('response', resolve));

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
  const stream = begin(session(t, service), 'Decisions/ValidateResponse', undefined);
  // It says that 8 MB follow, and sends the first few.
  stream.write(framed(Buffer.alloc(10), 8_000_000));
  assert.equal((await headersOf(stream))['grpc-status'], String(status.UNAUTHENTICATED));
});

test('messages that never end are cut short in time, and others are served meanwhile', async (t) => {
  const service = await started(t);
  const host = hostOf(t, service);
  const task = await openTask(service);
  const on = session(t, service);
  const streams = Array.from({ length: 50 }, () => begin(on, 'Decisions/Authorize', service.tokens.host));
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
  const streams = Array.from({ length: 4 }, () => host.stream('host'));
  for (const stream of streams) {
    stream.ask([callBody(task)]);
    assert.equal((await stream.next())?.[0].decision.decision, 'allow');
  }
  const given = await refusal(host.call('host', 'Decisions/Authorize', callBody(task)));
  assert.deepEqual([given.status, given.code], [status.RESOURCE_EXHAUSTED, 'overloaded']);
  for (const stream of streams) stream.call.end();
  for (const stream of streams) assert.equal(await stream.next(), undefined);
  await gone(service);
  await served(host, task);
});

test('a client that never reads its stream loses its connection, and what was kept for it is let go', async (t) => {
  const service = await started(t);
  const host = hostOf(t, service);
  const task = await openTask(service);
  const on = session(t, service);
  const stream = begin(on, 'Decisions/AuthorizeStream', service.tokens.host);
  stream.pause();
  const { requestSerialize } = serviceOf('Decisions')['AuthorizeStream'] as { requestSerialize(value: object): Buffer };
  const large = () => callBody(task, { arguments: { key: 'x'.repeat(100_000) } });
  for (let each = 0; each < 5; each += 1) {
    stream.write(framed(requestSerialize(toMessage('AuthorizeStreamRequest', { requests: [large(), large()] }))));
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
