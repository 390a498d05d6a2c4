import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { hostOf } from '../grpc/client.js';
import { startService, type TestService } from '../support/service.js';
import { callBody, openTask, readyWorld } from '../support/world.js';
import { CANCEL, data, halfClose, headers, NO_ERROR, opening, reset } from './h2-frames.js';
import { begin, framed, headersOf, session } from './raw-grpc.js';
import { test, type TestContext } from '../support/testing.js';

/** Calls that their client gives up, at every moment: their places are free at once, while the connection goes on. */

const METHODS = [
  'sallyport.v1.Decisions/Authorize',
  'sallyport.v1.Decisions/AuthorizeStream',
  'sallyport.v1.Directives/Watch',
  'sallyport.v1.Tasks/Get',
  'grpc.health.v1.Health/Check',
  'grpc.health.v1.Health/Watch',
  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
] as const;
const GRPC_CALLS = 40;
const AT_ONCE = 8;
/** In one segment, in the next turn of the loop, and while the call waits for something. */
const GAPS_MS = [undefined, 0, 30] as const;
const EMPTY = Buffer.alloc(5);

async function started(t: TestContext): Promise<TestService> {
  const env = { SALLYPORT_GRPC_CALLS: String(GRPC_CALLS), SALLYPORT_CLIENT_MS: '60000' };
  const service = await startService({ env });
  t.after(() => service.stop());
  await readyWorld(service);
  return service;
}

const held = ({ service: { bounds } }: TestService): Record<string, number> => ({
  calls: bounds.grpcCalls.inUse,
  checks: bounds.grpcChecks.inUse,
  strangers: bounds.grpcStrangers.inUse,
  watches: bounds.watches.inUse,
  bodies: bounds.bodies.inUse,
  work: bounds.calls.inFlight,
});

async function isFree(service: TestService, what: string): Promise<void> {
  const nothing = { calls: 0, checks: 0, strangers: 0, watches: 0, bodies: 0, work: 0 };
  for (let tries = 0; tries < 40 && Object.values(held(service)).some((each) => each > 0); tries += 1) await pause(50);
  assert.deepEqual(held(service), nothing, what);
}

async function rawConnection(t: TestContext, service: TestService): Promise<Socket> {
  const [host, port] = service.server.grpc.split(':');
  const socket = connect(Number(port), host).on('error', () => undefined);
  t.after(() => socket.destroy());
  socket.setNoDelay(true).resume().write(opening());
  await pause(20);
  return socket;
}

for (const method of METHODS) {
  test(`${method}: given up at any moment, its place is free`, async (t) => {
    const service = await started(t);
    const fields = {
      ':method': 'POST',
      ':scheme': 'http',
      ':authority': 'test',
      ':path': `/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(method.startsWith('sallyport') ? { authorization: `Bearer ${service.tokens.host}` } : {}),
    };
    const steps = [
      (id: number) => headers(id, fields),
      (id: number) => data(id, EMPTY.subarray(0, 2)),
      (id: number) => data(id, EMPTY.subarray(2)),
      halfClose,
    ];
    let id = -1;
    const socket = await rawConnection(t, service);
    for (let upTo = 1; upTo <= steps.length; upTo += 1) {
      for (const code of [CANCEL, NO_ERROR]) {
        for (const gapMs of GAPS_MS) {
          const ids = Array.from({ length: AT_ONCE }, () => (id += 2));
          const begun = ids.map((each) => Buffer.concat(steps.slice(0, upTo).map((step) => step(each))));
          const ends = ids.map((each) => reset(each, code));
          if (gapMs === undefined) {
            socket.write(Buffer.concat(begun.flatMap((frames, index) => [frames, ends[index] ?? EMPTY])));
            await pause(5);
          } else {
            socket.write(Buffer.concat(begun));
            await pause(gapMs);
            socket.write(Buffer.concat(ends));
          }
          await isFree(service, `after ${upTo} frames, ${gapMs} ms, code ${code}`);
        }
      }
      const cut = await rawConnection(t, service);
      cut.write(Buffer.concat(steps.slice(0, upTo).map((step) => step(1))));
      await pause(upTo * 5);
      cut.resetAndDestroy();
      await isFree(service, `after ${upTo} frames and the end of the connection`);
    }
    assert.equal(socket.destroyed, false);
    // The full number can be taken again.
    const on = session(t, service);
    const open = Array.from({ length: GRPC_CALLS / 2 }, () => begin(on, 'sallyport.v1.Tasks/Get', service.tokens.host));
    for (let tries = 0; tries < 40 && held(service)['calls'] !== GRPC_CALLS / 2; tries += 1) await pause(50);
    assert.equal(held(service)['calls'], GRPC_CALLS / 2);
    for (const stream of open) stream.close(CANCEL);
    await isFree(service, 'after all of them');
  });
}

/** Begins calls and cancels them in the same turn. This client still sends them, and never says that it is gone. */
async function givenUp(t: TestContext, service: TestService, path: string, calls: number): Promise<Client> {
  const client = new Client(service.server.grpc, credentials.createInsecure());
  t.after(() => client.close());
  await new Promise((resolve) => client.waitForReady(Date.now() + 10_000, resolve));
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${service.tokens.host}`);
  const same = (bytes: Buffer): Buffer => bytes;
  for (let count = 0; count < calls; count += 1) {
    const call = path.endsWith('Watch')
      ? client.makeServerStreamRequest(`/${path}`, same, same, Buffer.alloc(0), metadata)
      : client.makeBidiStreamRequest(`/${path}`, same, same, metadata);
    call.on('error', (_error: ServiceError) => undefined);
    call.cancel();
  }
  await pause(500);
  return client;
}

test('streams that a host has given up without a word make way for its calls', async (t) => {
  const service = await started(t);
  await givenUp(t, service, 'sallyport.v1.Decisions/AuthorizeStream', GRPC_CALLS);
  const task = await openTask(service);
  const host = hostOf(t, service);
  assert.equal((await host.call('host', 'Decisions/Authorize', callBody(task))).decision, 'allow');
  const stream = host.stream('host');
  stream.ask([callBody(task)]);
  assert.equal((await stream.next())?.[0].decision.decision, 'allow');
  stream.call.end();
});

test('a stream with a question under way makes way for nobody', async (t) => {
  const service = await started(t);
  const task = await openTask(service);
  const host = hostOf(t, service);
  const streams = Array.from({ length: GRPC_CALLS / 2 }, () => host.stream('host'));
  for (const stream of streams) {
    stream.ask([callBody(task)]);
    await stream.next();
  }
  // The first one has been idle for longest, and makes way.
  const more = host.stream('host');
  more.ask([callBody(task)]);
  assert.equal((await more.next())?.[0].decision.decision, 'allow');
  await assert.rejects(streams[0]?.next() ?? Promise.resolve(), /needs its place/);
  const [, second] = streams;
  second?.ask([callBody(task)]);
  assert.equal((await second?.next())?.[0].decision.decision, 'allow');
  for (const stream of [...streams.slice(1), more]) stream.call.end();
});

test('watches of health that a stranger has given up without a word keep nobody out', async (t) => {
  const service = await started(t);
  await givenUp(t, service, 'grpc.health.v1.Health/Watch', 150);
  for (const path of ['grpc.health.v1.Health/Watch', 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo']) {
    const on = session(t, service);
    const stream = begin(on, path);
    // Of reflection: list_services.
    stream.write(framed(path.endsWith('Watch') ? Buffer.alloc(0) : Buffer.from([7 * 8 + 2, 1, 42])));
    if (path.endsWith('Watch')) stream.end();
    const given = await Promise.race([headersOf(stream), pause(5000, undefined, { ref: false })]);
    assert.equal(given?.['grpc-status'], undefined, path);
    assert.equal(given?.[':status'], 200, path);
    on.destroy();
  }
});
