import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { createLogger } from '../../apps/pdp/observability/logger.js';
import { isFromThisMachine } from '../../apps/pdp/observability/metrics.controller.js';
import { listenForScrapes } from '../../apps/pdp/observability/metrics-listener.js';
import { Scrapes } from '../../apps/pdp/observability/scrapes.js';
import { startServer } from '../../apps/pdp/server.js';
import { openService } from '../../apps/pdp/service.js';
import { readSettings } from '../../apps/pdp/settings.js';
import { LogUnavailable, type EventLog } from '../../libs/event-log/port.js';
import { VERSION } from '../../libs/kernel/version.js';
import { startService } from '../support/service.js';
import { test, type TestContext } from '../support/testing.js';

/** Metrics on an address of their own. */

const env = { SALLYPORT_METRICS: '127.0.0.1:0', SALLYPORT_KAFKA_BROKERS: '127.0.0.1:9' };

async function started(t: TestContext, wrapLog?: (log: EventLog) => EventLog) {
  const service = await startService({ env, ...(wrapLog === undefined ? {} : { wrapLog }) });
  t.after(() => service.stop());
  const url = `http://${service.server.bound.metrics}`;
  return { service, url, scrape: async () => (await fetch(`${url}/metrics`)).text() };
}

test('the metrics have an address of their own, with nothing else on it', async (t) => {
  const { url } = await started(t);
  const answer = await fetch(`${url}/metrics`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  const { node } = process.versions;
  assert.match(
    text,
    new RegExp(`^sallyport_build_info\\{version="${VERSION}",node="${node}",platform="[^"]+"\\} 1$`, 'm'),
  );
  assert.match(text, /^sallyport_ready 1$/m);
  const statuses = await Promise.all(
    [
      fetch(`${url}/metrics?name=x`),
      fetch(`${url}/metrics`, { method: 'POST', body: 'x' }),
      fetch(`${url}/v1/directives`),
    ].map(async (each) => (await each).status),
  );
  assert.deepEqual(statuses, [200, 405, 404]);
});

test('counters end in _total and gauges do not', async (t) => {
  const { scrape } = await started(t);
  const types = [...(await scrape()).matchAll(/^# TYPE (\S+) (counter|gauge)$/gm)];
  assert.ok(types.length > 40);
  const wrong = types.filter(([, name = '', type]) => name.endsWith('_total') !== (type === 'counter'));
  assert.deepEqual(
    wrong.map(([line]) => line),
    [],
  );
  const names = new Set(types.map(([, name]) => name));
  for (const each of ['events_sent', 'directives_sent', 'foreign_records']) {
    assert.ok(names.has(`sallyport_relay_${each}_total`), each);
  }
});

test('the readiness is a gauge, also if the log never answers', async (t) => {
  let stuck: Promise<never> | undefined;
  const { scrape } = await started(t, (log) => ({ ...log, append: (batch) => stuck ?? log.append(batch) }));
  assert.match(await scrape(), /^sallyport_ready 1$/m);
  const fault = Promise.withResolvers<never>();
  stuck = fault.promise;
  assert.match(await scrape(), /^sallyport_ready 0$/m);
  fault.reject(new LogUnavailable());
  stuck = undefined;
});

test('on the interface of hosts they are for this machine alone', async (t) => {
  const { service } = await started(t);
  assert.equal((await service.call('nobody', 'GET', '/metrics')).status, 200);
  const forwarded = await service.call('nobody', 'GET', '/metrics', undefined, { 'x-forwarded-for': '192.0.2.7' });
  assert.deepEqual([forwarded.status, forwarded.body.code], [403, 'forbidden']);
  type Request = Parameters<typeof isFromThisMachine>[0];
  const from = (remoteAddress: string) =>
    isFromThisMachine({ headers: {}, raw: { socket: { remoteAddress } } } as Request);
  assert.deepEqual(['127.0.0.1', '::1', '::ffff:127.0.0.1', '192.0.2.7', '::ffff:192.0.2.7', ''].map(from), [
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('an address in use ends the start if a setting names it; by default it is a line in the log', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  t.after(() => new Promise((resolve) => taken.close(resolve)));
  const { port } = taken.address() as AddressInfo;
  const { service } = await started(t);
  await service.stop('keep');
  const free = { SALLYPORT_HTTP: '127.0.0.1:0', SALLYPORT_GRPC: '127.0.0.1:0', SALLYPORT_DATA: service.dataDir };
  const opened = await openService(readSettings({ ...free, SALLYPORT_METRICS: `127.0.0.1:${port}` }));
  t.after(() => opened.close());
  await assert.rejects(startServer(opened, createLogger('silent')), {
    message: `SALLYPORT_METRICS: cannot listen on 127.0.0.1:${port}`,
  });
  const lines: unknown[] = [];
  const setting = { host: '127.0.0.1', port, isDefault: true };
  const listener = await listenForScrapes(setting, new Scrapes(new Registry()), {
    warn: (text: unknown) => lines.push(text),
  });
  assert.equal(listener.address, undefined);
  assert.match(String(lines), /^SALLYPORT_METRICS: cannot listen on 127\.0\.0\.1:\d+, the default/);
});

test('the default can be told from a setting, and `off` is nowhere', () => {
  const metricsIn = (value: Record<string, string>) => readSettings(value).metrics;
  assert.deepEqual(metricsIn({}), { host: '127.0.0.1', port: 7072, isDefault: true });
  assert.deepEqual(metricsIn({ SALLYPORT_METRICS: '127.0.0.1:7072' }), {
    host: '127.0.0.1',
    port: 7072,
    isDefault: false,
  });
  assert.equal(metricsIn({ SALLYPORT_METRICS: 'off' }), undefined);
});
