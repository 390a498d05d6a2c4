import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { selfSigned } from '../../test/demo/certificate.js';
import { openClient, reasonOf } from './client.js';
import { openSender } from './sender.js';
import { prepareTopic } from './topic.js';

/** What a client does with brokers that are not what they should be: none of it needs a real one. */

const SOON_MS = 2_000;

async function listening(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A broker that takes connections and never says a word; `closed` settles when the first of them has ended. */
async function silentBroker(t: TestContext) {
  const closed = Promise.withResolvers<void>();
  const heard = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.once('data', () => heard.resolve());
    socket.once('close', () => closed.resolve()).on('error', () => undefined);
  });
  return { broker: await listening(t, server), heard: heard.promise, closed: closed.promise };
}

test('over TLS the certificate has to be signed by the authority that was named', async (t) => {
  const { key, cert } = selfSigned();
  const secured = Promise.withResolvers<void>();
  const server = createTlsServer({ key, cert }, (socket) => {
    socket.on('error', () => undefined);
    secured.resolve();
  });
  server.on('tlsClientError', () => undefined);
  const brokers = [await listening(t, server)];

  const trusting = openClient({ brokers, clientId: 'test', tls: { ca: cert } });
  const connecting = trusting.kafka.admin().connect();
  connecting.catch(() => undefined);
  await secured.promise;
  trusting.discard();
  await assert.rejects(connecting);

  const wary = openClient({ brokers, clientId: 'test', tls: { ca: selfSigned().cert } });
  await assert.rejects(wary.kafka.admin().connect(), (error) => /certificate|signature/i.test(reasonOf(error)));
  wary.discard();
});

test('what waits for a broker that does not answer ends at once when it is given up', async (t) => {
  const { broker, heard, closed } = await silentBroker(t);
  const connection = { brokers: [broker], clientId: 'test' };
  const stopping = new AbortController();
  const opening = openSender(connection, 'a-topic', 1000, stopping.signal);
  const spec = { topic: 'a-topic', partitions: 1, replication: 1, config: {}, fault: () => undefined };
  const preparing = prepareTopic(connection, spec, stopping.signal);
  opening.catch(() => undefined);
  preparing.catch(() => undefined);
  await heard;
  const startedMs = performance.now();
  stopping.abort();
  await assert.rejects(opening, { name: 'AbortError' });
  await assert.rejects(preparing, { name: 'AbortError' });
  await closed;
  assert.ok(performance.now() - startedMs < SOON_MS);
});

test('a reason is one line of bounded length', () => {
  assert.equal(reasonOf(new Error('first\nsecond')), 'first second');
  assert.equal(reasonOf(new Error('x'.repeat(10_000))).length, 300);
  assert.equal(reasonOf('as it is'), 'as it is');
});
