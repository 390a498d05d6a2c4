import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { place, type ServiceProcess } from '../process/child.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { metric, metrics } from './load.js';
import { test, type TestContext } from '../support/testing.js';

/** Clients that are slow or silent, against the service in a process of its own: they go, and others do not notice. */

/** Long enough for an honest request of a machine that is busy with something else. */
const CLIENT_MS = 3000;
/** The time after which every slow client has to be gone, on a busy machine. */
const GONE_MS = 30_000;

/** So many connections that each send `first`, and then a byte now and then for as long as they may. */
function clients(t: TestContext, { url }: ServiceProcess, count: number, first: string, drip: string, read = true) {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    if (read) socket.resume();
    else socket.pause();
    if (first !== '') socket.write(first);
    return socket;
  });
  const dripping = setInterval(() => {
    for (const socket of sockets) if (drip !== '' && socket.writable) socket.write(drip);
  }, 100);
  const stop = (): void => {
    clearInterval(dripping);
    for (const socket of sockets) socket.destroy();
  };
  t.after(stop);
  return { sockets, stop };
}

const connections = (service: ServiceProcess) => metric(service, 'sallyport_http_connections');

/** Waits until something holds, for as long as a slow client may take to go. */
async function until(holds: () => boolean | Promise<boolean>, what: () => unknown): Promise<void> {
  for (const endMs = performance.now() + GONE_MS; !(await holds()); await pause(50)) {
    assert.ok(performance.now() < endMs, String(await what()));
  }
}

/** Waits until the service holds on to nothing of those clients. */
const gone = (service: ServiceProcess, most: number): Promise<void> =>
  until(
    async () => (await connections(service)) <= most,
    async () => `${await connections(service)} connections are left`,
  );

/** That hosts are served all the while. */
async function served(service: ServiceProcess, times: number): Promise<void> {
  const task = await openTask(service);
  for (let each = 0; each < times; each += 1) {
    const answer = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
    assert.equal(expecting(200, answer).decision, 'allow');
    await pause(20);
  }
}

const isClosed = ({ closed, readableEnded }: Socket): boolean => closed || readableEnded;

async function started(t: TestContext, env: Record<string, string> = {}): Promise<ServiceProcess> {
  const service = await place(t).start({ env: { SALLYPORT_CLIENT_MS: String(CLIENT_MS), ...env } });
  await readyWorld(service);
  return service;
}

const head = (service: ServiceProcess, path: string, bytes: number): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${service.tokens.host}\r\n` +
  `content-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`;

for (const [what, first] of [
  ['silent connections', () => ''],
  ['heads that never end', () => 'GET /health/live HTTP/1.1\r\nx: '],
  ['bodies that come a byte at a time', (service: ServiceProcess) => head(service, '/v1/calls/authorize', 10_000)],
] as const) {
  test(`${what} go in time, and others are served meanwhile`, async (t) => {
    const service = await started(t);
    const { sockets } = clients(t, service, 300, first(service), first(service) === '' ? '' : ' ');
    await served(service, 20);
    await gone(service, 10);
    assert.equal(await metric(service, 'sallyport_calls_in_flight'), 0);
    // None of them was released for nothing: they were cut off, or answered.
    await until(
      () => sockets.every(isClosed),
      () => 'a connection is still open',
    );
    await served(service, 3);
  });
}

test('strangers that fill the connections make way for a host that has a token, and for one that comes', async (t) => {
  const service = await started(t, { SALLYPORT_CONNECTIONS: '16', SALLYPORT_CLIENT_MS: '60000' });
  const task = await openTask(service);
  const { sockets, stop } = clients(t, service, 200, 'GET /health/live HTTP/1.1\r\nx: ', '');
  await pause(300);
  for (let each = 0; each < 10; each += 1) {
    // A connection of its own each time, as of a host that reconnects.
    const headers = { connection: 'close' };
    const answer = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task), headers);
    assert.equal(expecting(200, answer).decision, 'allow');
  }
  assert.ok((await connections(service)) <= 16);
  await until(
    () => sockets.filter(isClosed).length >= 180,
    () => `${sockets.filter(isClosed).length} of 200 were cut off`,
  );
  stop();
  await gone(service, 2);
});

test('large bodies that are half there do not take more than their share, and give it back', async (t) => {
  const service = await started(t, { SALLYPORT_BODIES_BYTES: '2097152' });
  const { sockets } = clients(t, service, 6, head(service, '/v1/calls/authorize', 900_000) + ' '.repeat(400_000), '');
  const answers = sockets.map((socket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return () => text;
  });
  const refusals = () => answers.filter((answer) => / 429 /.test(answer().split('\r\n')[0] ?? '')).length;
  // One principal gets half of it: room for two of 400 kB.
  for (const endMs = performance.now() + GONE_MS; refusals() < 4; await pause(100)) {
    assert.ok(performance.now() < endMs, `${refusals()} were refused`);
    assert.ok((await metric(service, 'sallyport_body_bytes')) <= 1_048_576);
  }
  await served(service, 3);
  const held = (): Promise<number> => metric(service, 'sallyport_body_bytes');
  await until(
    async () => (await held()) === 0,
    async () => `${await held()} bytes are still held`,
  );
  const padded = JSON.stringify(callBody(await openTask(service))) + ' '.repeat(900_000);
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', padded));
});

test('clients that never read their answers lose their connections', async (t) => {
  const service = await started(t);
  const task = await openTask(service);
  const auditor = `authorization: Bearer ${service.tokens.auditor}`;
  for (let each = 0; each < 40; each += 1) {
    const call = callBody(task, { arguments: { key: 'x'.repeat(200_000) } });
    expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', call));
  }
  // Each answer is far more than what any buffer on the way holds, and is kept until it has been read.
  const { stop } = clients(
    t,
    service,
    4,
    `GET /v1/audit/traces/${task.traceId} HTTP/1.1\r\nhost: x\r\n${auditor}\r\n\r\n`,
    '',
    false,
  );
  await served(service, 10);
  await gone(service, 2);
  const names = ['sallyport_http_connections_cut_total', 'sallyport_audit_queries_in_flight'];
  // A query is over shortly after its connection.
  await until(
    async () => String(await metrics(service, names)) === '4,0',
    async () => `cut off, still asked: ${String(await metrics(service, names))}`,
  );
  await served(service, 3);
  stop();
});

test('strangers who ask for metrics again and again are refused before they cost others their turn', async (t) => {
  const service = await started(t);
  clients(t, service, 10, `GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(1000), '');
  await served(service, 20);
});
