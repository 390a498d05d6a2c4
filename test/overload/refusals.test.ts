import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Refusals } from '../../apps/pdp/overload/refusals.js';
import { GrpcHost } from '../grpc/client.js';
import { addPrincipal } from '../support/actors.js';
import { movableClock } from '../support/clock.js';
import { startService, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** Each refusal for load is counted by its bound and its caller, and one line a minute says so. */

const clock = movableClock();
const lines: Record<string, unknown>[] = [];
const logger = pino({ base: null, level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) });
let service: TestService;
before(async () => {
  service = await startService({
    clock,
    logger,
    env: { SALLYPORT_HOST_REQUESTS_PER_S: '3', SALLYPORT_CONNECTIONS: '40' },
  });
  await readyWorld(service);
});
after(() => service.stop());

async function counted(cause: string, host: string): Promise<number> {
  const text: string = expecting(200, await service.call('auditor', 'GET', '/metrics'));
  const start = `sallyport_overloaded_total{cause="${cause}",host="${host}"} `;
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(start))
      ?.slice(start.length) ?? 0,
  );
}

test('a quota that is used up is counted for its host on every way in, and the log says it once a minute', async (t) => {
  const task = await openTask(service);
  const noisy = await addPrincipal(service, ['host']);
  const { name } = noisy;
  const grpc = new GrpcHost(service);
  t.after(() => grpc.close());
  let refusals = 0;
  const ask = async (): Promise<void> => {
    // An authorize takes the direct way, a list takes the framework, and gRPC has its own.
    const answers = await Promise.all([
      service.call(noisy, 'POST', '/v1/calls/authorize', callBody(task)),
      service.call(noisy, 'GET', '/v1/capabilities'),
    ]);
    refusals += answers.filter(({ status }) => status === 429).length;
    await grpc.call(noisy, 'Decisions/Authorize', callBody(task)).catch(({ code }: { code: number }) => {
      if (code === 8) refusals += 1;
    });
  };
  for (let each = 0; each < 12; each += 1) await ask();
  assert.ok(refusals >= 10, `${refusals}`);
  assert.equal(await counted('quota', name), refusals);
  const about = () => lines.filter(({ host }) => host === name);
  assert.deepEqual(
    about().map(({ refused, causes }) => [refused, causes]),
    [[1, { quota: 1 }]],
  );
});

test('the service closes the oldest stranger above its connections, and counts it without a name', async () => {
  const { port } = new URL(service.url);
  const before = await counted('connections', '');
  const sockets = Array.from({ length: 60 }, () => connect(Number(port), '127.0.0.1').on('error', () => undefined));
  try {
    // Each scrape takes a turn of the service, in which it sees further connections.
    for (let turn = 0; turn < 500 && (await counted('connections', '')) - before < 20; turn += 1) await pause(10);
    assert.ok((await counted('connections', '')) - before >= 20);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

test('a line comes at once, then once a minute with the number since; silence writes none', () => {
  let nowMs = 0;
  const said: unknown[] = [];
  const refusals = new Refusals({
    registry: new Registry(),
    warn: ({ host, refused, causes }) => void said.push([host, refused, causes]),
    nowMs: () => nowMs,
  });
  const look = (atMs: number): unknown[] => {
    nowMs = atMs;
    refusals.tell();
    return said.splice(0);
  };
  for (let each = 0; each < 3; each += 1) refusals.refused('quota', 'a');
  refusals.refused('calls', 'a');
  refusals.refused('docs', undefined);
  assert.deepEqual(look(59_000), [
    ['a', 1, { quota: 1 }],
    ['without a token', 1, { docs: 1 }],
  ]);
  assert.deepEqual(look(60_000), [['a', 3, { quota: 2, calls: 1 }]]);
  assert.deepEqual(look(130_000), []);
  refusals.refused('quota', 'a');
  refusals.refused('quota', 'a');
  refusals.stop();
  assert.deepEqual(said, [
    ['a', 1, { quota: 1 }],
    ['a', 1, { quota: 1 }],
  ]);
});

test('after fifty names the others share one', async () => {
  const registry = new Registry();
  const refusals = new Refusals({ registry, warn: () => undefined, nowMs: () => 0 });
  for (let each = 0; each < 80; each += 1) refusals.refused('quota', `host-${each}`);
  refusals.refused('quota', 'host-3');
  refusals.stop();
  const text = await registry.metrics();
  assert.equal(text.match(/^sallyport_overloaded_total\{/gm)?.length, 51);
  assert.match(text, /\{cause="quota",host="other"\} 30/);
  assert.match(text, /\{cause="quota",host="host-3"\} 2/);
});
