import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { selfSigned } from '../../test/demo/certificate.js';
import { openClient, reasonOf } from './client.js';
import { openSender } from './sender.js';
import { prepareTopic } from './topic.js';
import { test, type TestContext } from '../../test/support/testing.js';

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

/**
 * A broker that signs anybody in, has no topics, and names as the only broker there is `broker.example:9092`. Answers
 * ApiVersions v2, SaslHandshake v1, SaslAuthenticate v0 and Metadata v1, by the number of the request.
 */
async function misleadingBroker(t: TestContext): Promise<string> {
  const int = (bytes: 2 | 4, value: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const string = (text: string): Buffer => Buffer.concat([int(2, text.length), Buffer.from(text)]);
  const versions = [
    [3, 1],
    [17, 1],
    [18, 2],
    [36, 0],
  ] as const;
  const answers = new Map<number, readonly Buffer[]>([
    [18, [int(2, 0), int(4, 4), ...versions.flatMap(([key, v]) => [int(2, key), int(2, v), int(2, v)]), int(4, 0)]],
    [17, [int(2, 0), int(4, 1), string('PLAIN')]],
    [36, [int(2, 0), int(2, -1), int(4, 0)]],
    [3, [int(4, 1), int(4, 1), string('broker.example'), int(4, 9092), int(2, -1), int(4, 1), int(4, 0)]],
  ]);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      const body = Buffer.concat([request.subarray(8, 12), ...(answers.get(request.readInt16BE(4)) ?? [])]);
      socket.write(Buffer.concat([int(4, body.length), body]));
    });
  });
  return listening(t, server);
}

test('a password in plain goes past loopback over TLS alone, also where a broker on loopback leads there', async (t) => {
  const sasl = { mechanism: 'plain', username: 'relay', password: 'hunter2' } as const;
  const spec = { topic: 'a-topic', partitions: 1, replication: 1, config: {}, fault: () => undefined };
  for (const [broker, refused] of [
    ['192.0.2.1:9092', '192.0.2.1:9092'],
    [await misleadingBroker(t), 'broker.example:9092'],
  ] as const) {
    const connection = { brokers: [broker], clientId: 'test', sasl };
    const isRefused = (error: unknown): boolean =>
      reasonOf(error).endsWith(`SASL plain without TLS is for loopback alone, and not for ${refused}`);
    await assert.rejects(openSender(connection, spec.topic, 1000), isRefused);
    await assert.rejects(prepareTopic(connection, spec), isRefused);
  }
});

test('a reason is one line of bounded length', () => {
  assert.equal(reasonOf(new Error('first\nsecond')), 'first second');
  assert.equal(reasonOf(new Error('x'.repeat(10_000))).length, 300);
  assert.equal(reasonOf('as it is'), 'as it is');
});
