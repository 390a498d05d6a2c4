import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { place } from '../process/child.js';
import { until } from '../relay/ground.js';
import { expecting } from '../support/world.js';
import { test } from '../support/testing.js';
import { canariesIn, liveWithCanaries } from './canaries.js';
import { otlpEnvironment, startCollector } from './collector.js';

/**
 * The service as it is run, with a canary in every place for content and free text. None of them is in what a SIEM, a
 * scraper or a reader of the log lines gets. Kafka: test/engines/siem.
 */
test('no content and no free text leaves for a SIEM, a collector, the metrics or the log lines', async (t) => {
  const collector = await startCollector();
  t.after(() => collector.close());
  const { dataDir, start } = place(t);
  const file = join(dataDir, 'siem.jsonl');
  const env = { SALLYPORT_SIEM_FILE: file, SALLYPORT_LOG_LEVEL: 'trace', ...otlpEnvironment(collector) };
  const service = await start({ env });
  await liveWithCanaries(service);
  const recorded = expecting(200, await service.call('auditor', 'GET', '/v1/audit/events?limit=1000'));
  const listed = expecting(200, await service.call('auditor', 'GET', '/v1/audit/events?format=ocsf&limit=1000'));
  const ids = recorded.items.map(({ id }: { id: string }) => id);
  const types = new Set(recorded.items.map(({ type }: { type: string }) => type));
  for (const type of ['CallDecided', 'CallRefused', 'DriftObserved', 'VersionSuspended', 'ResponseValidated']) {
    assert.ok(types.has(type), type);
  }
  const written = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  await until(() => ids.every((id: string) => written().includes(id)));
  await until(() => ids.every((id: string) => collector.bodies.some((body) => body.includes(id))));
  const { body: metrics } = await service.call('nobody', 'GET', '/metrics');
  service.kill('SIGTERM');
  assert.deepEqual(await service.exit, { code: 0, signal: null });
  for (const [what, text] of Object.entries({
    file: written(),
    collector: collector.bodies.join('\n'),
    list: JSON.stringify(listed),
    metrics: String(metrics),
    'standard output': service.stdout(),
    'standard error': service.stderr(),
  })) {
    assert.deepEqual(canariesIn(text), [], what);
    for (const token of Object.values(service.tokens)) assert.ok(!text.includes(token), `${what} has a token`);
  }
  assert.ok(listed.items.length >= ids.length);
  assert.ok(canariesIn(JSON.stringify(recorded)).length > 0, 'the log itself has the reasons of people');
});
