import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ended, jsonLines, place, until } from '../process/child.js';
import { test } from '../support/testing.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';

/** A collector that is away is one line in the log, and so is its return. A wrong address ends the start. */

const listening = async (port: number) => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { port: (server.address() as AddressInfo).port, close };
};

test('a collector that is away is said once, and its return too', async (t) => {
  const first = await listening(0);
  await first.close();
  const { start } = place(t);
  const service = await start({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${first.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TIMEOUT: '200',
      OTEL_BSP_SCHEDULE_DELAY: '20',
      OTEL_TRACES_SAMPLER: 'always_on',
    },
  });
  await readyWorld(service);
  const task = await openTask(service);
  const said = (text: string) => jsonLines(service).filter(({ msg }) => msg === text);
  const call = async () => expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
  await until(service, async () => {
    await call();
    return said('spans do not arrive')[0];
  });
  const again = await listening(first.port);
  t.after(() => again.close());
  await until(service, async () => {
    await call();
    return said('recovered: spans arrive again')[0];
  });
  assert.deepEqual([said('spans do not arrive').length, said('recovered: spans arrive again').length], [1, 1]);
});

for (const [name, value, expected] of [
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'not a url', /OTEL_EXPORTER_OTLP_ENDPOINT: expected a URL/],
  [
    'OTEL_EXPORTER_OTLP_PROTOCOL',
    'carrier-pigeon',
    /OTEL_EXPORTER_OTLP_PROTOCOL: expected grpc, http\/json, http\/protobuf/,
  ],
] as const) {
  test(`${name}=${value} ends the start with one clear line`, async (t) => {
    const { launch } = place(t);
    const program = launch({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', [name]: value } });
    assert.equal((await ended(program)).code, 1);
    assert.match(program.stderr(), expected);
  });
}
