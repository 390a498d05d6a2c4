import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { ended, jsonLines, place, until } from '../process/child.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { startReceiver, telemetryEnvironment } from './receiver.js';
import { test } from '../support/testing.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

test('the process sends its last spans before it ends, and logs a line for its start and its stop alone', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const service = await place(t).start({ env: telemetryEnvironment(receiver) });
  await readyWorld(service);
  const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
  const body = callBody(await openTask(service));
  const answer = await service.call('host', 'POST', '/v1/calls/authorize', body, headers);
  expecting(200, answer);
  service.kill('SIGTERM');
  assert.equal((await ended(service)).code, 0);
  const names = receiver.spans().flatMap(({ traceId, name }) => (traceId === TRACE ? [name] : []));
  assert.deepEqual(names.sort(), ['append', 'authorize', 'decide']);
  const messages = jsonLines(service).map(({ msg }) => msg);
  assert.deepEqual(messages, ['tokens written', 'ready', 'stopping', 'stopped']);
});

test('a receiver that never answers does not hold up the end of the process', async (t) => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };
  const service = await place(t).start({ env: { ...env, OTEL_TRACES_SAMPLER: 'always_on' } });
  await readyWorld(service);
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', callBody(await openTask(service))));
  const startedMs = performance.now();
  service.kill('SIGTERM');
  assert.equal((await ended(service)).code, 0);
  assert.ok(performance.now() - startedMs < 8000);
});

test('the level of the log is a setting', async (t) => {
  const warned = place(t).launch({ env: { SALLYPORT_LOG_LEVEL: 'loud' } });
  assert.equal((await ended(warned)).code, 1);
  assert.match(warned.stderr(), /SALLYPORT_LOG_LEVEL/);
  const address = `127.0.0.1:${await freePort()}`;
  const silent = place(t).launch({ env: { SALLYPORT_LOG_LEVEL: 'silent', SALLYPORT_HTTP: address } });
  await until(silent, async () => (await fetch(`http://${address}/health/live`).catch(() => undefined))?.status);
  silent.kill('SIGTERM');
  assert.equal((await ended(silent)).code, 0);
  assert.equal(silent.stdout(), '');
});

/** A service that says nothing does not say where it listens either. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
