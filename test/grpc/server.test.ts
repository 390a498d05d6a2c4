import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, credentials, status } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import { openService } from '../../apps/pdp/service.js';
import { startServer } from '../../apps/pdp/server.js';
import { readSettings } from '../../apps/pdp/settings.js';
import { createLogger } from '../../apps/pdp/observability/logger.js';
import { LogUnavailable, type EventLog } from '../../libs/event-log/port.js';
import { servicesIn } from '../../libs/wire/protos.js';
import { selfSigned } from '../demo/certificate.js';
import { ended, place } from '../process/child.js';
import { gate } from '../support/gate.js';
import { startService, type Answered, type TestOptions, type TestService } from '../support/service.js';
import { callBody, openTask, readyWorld, taskBody } from '../support/world.js';
import { GrpcHost, refusal } from './client.js';
import { test, type TestContext } from '../support/testing.js';

/** The other duties of the server: health, TLS, and shutting down. */

async function started(t: TestContext, options: TestOptions = {}): Promise<TestService> {
  const service = await startService(options);
  t.after(() => service.stop());
  return service;
}

function hostOf(t: TestContext, service: TestService, ca?: string): GrpcHost {
  const host = new GrpcHost(service, ca);
  t.after(() => host.close());
  return host;
}

const healthService = servicesIn('grpc/health/v1/health.proto')['grpc.health.v1.Health'];
const health = (name: 'Check' | 'Watch' | 'List') => healthService?.[name] as MethodDefinition<object, object>;

function check(host: GrpcHost, service: string): Promise<Answered> {
  const { path, requestSerialize, responseDeserialize } = health('Check');
  return new Promise((resolve, reject) => {
    host.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
  });
}

/** A log that cannot record while it is broken. */
function breakable() {
  const state = {
    broken: false,
    wrap: (log: EventLog): EventLog => ({
      ...gate().wrap(log),
      append: (batch) => (state.broken ? Promise.reject(new LogUnavailable('test')) : log.append(batch)),
    }),
  };
  return state;
}

test('health says of each service whether it could allow, to anyone who asks', async (t) => {
  const log = breakable();
  const service = await started(t, { wrapLog: log.wrap });
  const host = hostOf(t, service);
  const names = ['', 'sallyport.v1.Decisions', 'sallyport.v1.Tasks', 'sallyport.v1.Directives'];
  for (const name of names) assert.deepEqual(await check(host, name), { status: 'SERVING' });
  assert.equal((await refusal(check(host, 'sallyport.v1.Other'))).status, status.NOT_FOUND);

  const { path, requestSerialize, responseDeserialize } = health('Watch');
  const watch = host.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: '' });
  const told = watch[Symbol.asyncIterator]();
  assert.deepEqual((await told.next()).value, { status: 'SERVING' });
  log.broken = true;
  assert.deepEqual((await told.next()).value, { status: 'NOT_SERVING' });
  for (const name of names) assert.deepEqual(await check(host, name), { status: 'NOT_SERVING' });
  log.broken = false;
  assert.deepEqual((await told.next()).value, { status: 'SERVING' });
  const closing = service.server.close();
  assert.deepEqual((await told.next()).value, { status: 'NOT_SERVING' });
  assert.equal((await told.next()).done, true);
  await closing;
});

test('a log that cannot record is an UNAVAILABLE with its code, and no decision', async (t) => {
  const log = breakable();
  const service = await started(t, { wrapLog: log.wrap });
  const host = hostOf(t, service);
  await readyWorld(service);
  const task = await openTask(service);
  log.broken = true;
  const stream = host.stream('host');
  stream.ask([callBody(task), callBody(task)]);
  assert.deepEqual(
    (await stream.next())?.map(({ problem }) => problem.code),
    ['log_unavailable', 'log_unavailable'],
  );
  const expected = { status: status.UNAVAILABLE, code: 'log_unavailable', fields: [] };
  assert.deepEqual(await refusal(host.call('host', 'Decisions/Authorize', callBody(task))), expected);
  assert.deepEqual(await refusal(host.call('host', 'Tasks/Open', taskBody())), expected);
  stream.call.end();
});

test('with a certificate it is spoken over TLS alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { cert, key } = selfSigned();
  const files = { SALLYPORT_TLS_CERT: join(folder, 'cert.pem'), SALLYPORT_TLS_KEY: join(folder, 'key.pem') };
  writeFileSync(files.SALLYPORT_TLS_CERT, cert);
  writeFileSync(files.SALLYPORT_TLS_KEY, key);
  const service = await started(t, { env: files });
  const opened = await hostOf(t, service, files.SALLYPORT_TLS_CERT).call('host', 'Tasks/Open', taskBody());
  assert.match(opened.traceId, /^[0-9a-f]{32}$/);
  assert.equal((await refusal(check(hostOf(t, service), ''))).status, status.UNAVAILABLE);
});

test('an address that is taken stops the start, and what had started is gone', async (t) => {
  const taken = await started(t);
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-taken-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const ports = { SALLYPORT_HTTP: '127.0.0.1:0', SALLYPORT_GRPC: taken.server.grpc };
  const service = await openService(readSettings({ SALLYPORT_DATA: dataDir, ...ports }));
  await assert.rejects(startServer(service, createLogger('silent')), /^Error: SALLYPORT_GRPC: cannot listen on/);
  await service.close();
});

test('going away, it answers what is in flight on a stream, ends it, and takes no more', async (t) => {
  const { wrap, holdNext } = gate();
  const service = await started(t, { wrapLog: wrap });
  const host = hostOf(t, service);
  await readyWorld(service);
  const task = await openTask(service);
  const stream = host.stream('host');
  const idle = host.stream('host');
  idle.ask([callBody(task)]);
  await idle.next();
  const held = holdNext('calls-');
  const body = callBody(task);
  stream.ask([body]);
  await held.arrived;
  const other = holdNext('calls-');
  const unary = host.call('host', 'Decisions/Authorize', callBody(await openTask(service)));
  await other.arrived;
  const closing = service.server.close();
  assert.equal((await refusal(idle.next())).code, 'log_unavailable');
  held.release();
  other.release();
  assert.equal((await stream.next())?.[0].decision.decision, 'allow');
  const { status: given, code } = await refusal(stream.next());
  assert.deepEqual([given, code], [status.UNAVAILABLE, 'log_unavailable']);
  assert.equal((await unary).decision, 'allow');
  await closing;
  const late = new Client(service.server.grpc, credentials.createInsecure());
  t.after(() => late.close());
  const ready = new Promise((resolve) => late.waitForReady(Date.now() + 200, resolve));
  assert.ok((await ready) instanceof Error);
});

test('SIGTERM ends open streams, and the service with 0', async (t) => {
  const program = await place(t).start();
  await readyWorld(program);
  const grpc = /"grpc":"([^"]+)"/.exec(program.stdout())?.[1] ?? '';
  const host = new GrpcHost({ tokens: program.tokens, server: { grpc } });
  t.after(() => host.close());
  const stream = host.stream('host');
  stream.ask([callBody(await openTask(program))]);
  assert.equal((await stream.next())?.[0].decision.decision, 'allow');
  program.kill('SIGTERM');
  assert.equal((await refusal(stream.next())).code, 'log_unavailable');
  assert.deepEqual(await ended(program, 5000), { code: 0, signal: null });
  assert.equal(program.stderr(), '');
});

test('a client that never reads its answers does not keep it for long', async (t) => {
  const service = await started(t);
  const host = hostOf(t, service);
  await readyWorld(service);
  const task = await openTask(service);
  const stream = host.stream('host');
  stream.call.on('error', () => undefined);
  const large = () => callBody(task, { arguments: { key: 'a'.repeat(100_000) } });
  for (let count = 0; count < 60; count += 1) stream.ask(Array.from({ length: 10 }, large));
  await stream.next();
  await pause(500);
  const startedMs = performance.now();
  await service.server.close();
  assert.ok(performance.now() - startedMs < 8000);
});
