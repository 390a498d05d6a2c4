import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '../../apps/pdp/settings.js';
import { parseEvent } from '../../libs/event-log/event.js';
import type { OcsfEvent } from '../../libs/siem/ocsf.js';
import { familyOf } from '../../libs/streams/catalogue.js';
import { decide } from '../support/calls.js';
import { startService, type Answered, type TestOptions, type TestService } from '../support/service.js';
import { test, type TestContext } from '../support/testing.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { until } from '../relay/ground.js';
import { startCollector, otlpEnvironment } from './collector.js';
import { reducedSchema, wholeSchema } from './schema.js';
import { validate } from './validator.js';

/** The ways on which OCSF events leave a running service. */

const schema = wholeSchema() ?? reducedSchema();

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'sallyport-siem-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function started(t: TestContext, env: Record<string, string>, more: TestOptions = {}): Promise<TestService> {
  const service = await startService({ env, ...more });
  t.after(() => service.stop('keep'));
  if (more.dataDir === undefined) t.after(() => rmSync(service.dataDir, { recursive: true, force: true }));
  return service;
}

/** The whole lines of the file: the last one may be on its way. */
const eventsIn = (path: string): OcsfEvent[] =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as OcsfEvent)
    : [];

/** The ids of everything that a SIEM has to get of a service so far. */
async function wanted({ service: { stores } }: TestService): Promise<string[]> {
  const recorded = await stores.log.readAll({ after: 0n, limit: 10_000 });
  return recorded
    .filter(({ stream }) => familyOf(stream)?.role !== 'bookkeeping')
    .map(({ json }) => parseEvent(json).id);
}

const idsOf = (events: readonly OcsfEvent[]): string[] => events.map(({ metadata }) => metadata.uid);

async function arrived(service: TestService, events: () => OcsfEvent[]): Promise<OcsfEvent[]> {
  const ids = await wanted(service);
  await until(() => {
    const there = new Set(idsOf(events()));
    return ids.every((id) => there.has(id));
  });
  return events();
}

const metric = async (service: TestService, name: string): Promise<number> => {
  const text = await service.service.metrics.registry.metrics();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
};

test('the file has every event of the log in its order, and goes on after a restart', async (t) => {
  const dataDir = folder(t);
  const file = join(folder(t), 'siem.jsonl');
  const first = await started(t, { SALLYPORT_SIEM_FILE: file }, { dataDir });
  await readyWorld(first);
  const task = await openTask(first);
  for (let calls = 0; calls < 5; calls += 1) await decide(first, task);
  const events = await arrived(first, () => eventsIn(file));
  assert.deepEqual(idsOf(events), await wanted(first));
  for (const event of events) assert.deepEqual(validate(schema, event).faults, [], JSON.stringify(event));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(await metric(first, 'sallyport_siem_file_sending'), 1);
  assert.equal(await metric(first, 'sallyport_siem_file_sent_total'), events.length);

  const paged: OcsfEvent[] = [];
  for (let next: string | undefined = ''; next !== undefined;) {
    const path = `/v1/audit/events?format=ocsf&limit=7${next === '' ? '' : `&cursor=${next}`}`;
    const page: Answered = expecting(200, await first.call('auditor', 'GET', path));
    paged.push(...page.items);
    next = page.next;
  }
  // Reads are evidence too, and are recorded while the pages are read.
  assert.deepEqual(paged.slice(0, events.length), events, 'the list answers the same events, page by page');
  const denied = await first.call('auditor', 'GET', '/v1/audit/events?format=ocsf&types=TaskOpened');
  assert.deepEqual(
    denied.body.items.map(({ type_uid: type }: OcsfEvent) => type),
    [300_301],
  );
  await first.server.close();

  const second = await started(t, { SALLYPORT_SIEM_FILE: file }, { dataDir });
  await decide(second, await openTask(second));
  assert.deepEqual(idsOf(await arrived(second, () => eventsIn(file))), await wanted(second), 'nothing twice or missed');
});

test('a file that cannot be written denies nothing, leaves a log line, and gets everything later', async (t) => {
  const missing = join(folder(t), 'later');
  const told: string[] = [];
  const service = await started(
    t,
    { SALLYPORT_SIEM_FILE: join(missing, 'siem.jsonl') },
    {
      onRelayTrouble: (lane, reason) => void told.push(`${lane} ${reason}`),
      onRelayRecovered: (lane) => void told.push(`${lane} recovered`),
    },
  );
  await readyWorld(service);
  assert.equal((await decide(service, await openTask(service))).decision, 'allow');
  await until(() => told.includes('siem-file ENOENT'));
  assert.equal(await metric(service, 'sallyport_siem_file_sending'), 0);
  assert.ok((await metric(service, 'sallyport_siem_file_lag')) > 0);
  const { status, siem } = expecting(200, await service.call('nobody', 'GET', '/health/ready'));
  assert.deepEqual([status, siem.file.reason, siem.file.lag > 0], ['ready', 'ENOENT', true]);
  mkdirSync(missing);
  const events = await arrived(service, () => eventsIn(join(missing, 'siem.jsonl')));
  assert.deepEqual(idsOf(events), await wanted(service));
  await until(() => told.includes('siem-file recovered'));
});

test('a file that others wrote is left as it is, and the events leave once it is moved away', async (t) => {
  const file = join(folder(t), 'notes.txt');
  const notes = 'ours\nan unfinished line';
  writeFileSync(file, notes);
  const told: string[] = [];
  const service = await started(
    t,
    { SALLYPORT_SIEM_FILE: file },
    { onRelayTrouble: (lane, reason) => void told.push(`${lane} ${reason}`) },
  );
  await until(() => told.includes('siem-file FOREIGN_FILE'));
  assert.equal(readFileSync(file, 'utf8'), notes);
  rmSync(file);
  assert.deepEqual(idsOf(await arrived(service, () => eventsIn(file))), await wanted(service));
});

test('a full disk denies nothing, and no line is torn or lost', async (t) => {
  const mount = join(folder(t), 'small');
  mkdirSync(mount);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount], { stdio: 'ignore' });
  } catch {
    return t.skip('needs the right to mount a file system');
  }
  const told: string[] = [];
  try {
    const filler = join(mount, 'filler');
    writeFileSync(filler, Buffer.alloc(57_000));
    const file = join(mount, 'siem.jsonl');
    const onRelayTrouble = (lane: string, reason: string) => void told.push(`${lane} ${reason}`);
    const service = await startService({ env: { SALLYPORT_SIEM_FILE: file }, onRelayTrouble });
    try {
      await readyWorld(service);
      assert.equal((await decide(service, await openTask(service))).decision, 'allow');
      await until(() => told.includes('siem-file ENOSPC'));
      rmSync(filler);
      assert.deepEqual(idsOf(await arrived(service, () => eventsIn(file))), await wanted(service));
    } finally {
      await service.stop();
    }
  } finally {
    execFileSync('umount', ['-l', mount]);
  }
});

test('a collector gets each event as a log record, with its severity and its trace', async (t) => {
  const collector = await startCollector();
  t.after(() => collector.close());
  const told: string[] = [];
  collector.status = 400;
  const service = await started(t, otlpEnvironment(collector), {
    onRelayTrouble: (lane) => void told.push(lane),
  });
  await readyWorld(service);
  const task = await openTask(service);
  assert.equal((await decide(service, task)).decision, 'allow');
  await until(() => told.includes('siem-otlp'));
  collector.status = 200;
  const bodies = () => collector.records().map(({ body }) => JSON.parse(body.stringValue) as OcsfEvent);
  await arrived(service, bodies);
  for (const { body, severityText, severityNumber, timeUnixNano, traceId } of collector.records()) {
    const event = JSON.parse(body.stringValue) as OcsfEvent;
    assert.deepEqual(validate(schema, event).faults, []);
    assert.equal(severityText, event['severity']);
    assert.equal(severityNumber, { 1: 9, 2: 10, 3: 13, 4: 17, 5: 21 }[event.severity_id]);
    assert.equal(BigInt(timeUnixNano), BigInt(event.time) * 1_000_000n);
    assert.equal(traceId === undefined || traceId === '' ? undefined : traceId, event.metadata['correlation_uid']);
  }
  assert.ok(collector.records().some(({ traceId }) => traceId === task.traceId));
});

test('log records without a collector are refused at the start', () => {
  for (const [env, message] of [
    [{ SALLYPORT_SIEM_OTLP: 'on' }, /SALLYPORT_SIEM_OTLP: on needs OTEL_EXPORTER_OTLP_ENDPOINT/],
    [{ ...otlpEnvironment({ url: 'http://127.0.0.1:1' }), OTEL_EXPORTER_OTLP_PROTOCOL: 'carrier' }, /expected grpc/],
    [
      { ...otlpEnvironment({ url: 'http://127.0.0.1:1' }), OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'no url' },
      /expected a URL/,
    ],
    [{ SALLYPORT_SIEM_KAFKA: 'maybe' }, /SALLYPORT_SIEM_KAFKA: expected on or off/],
  ] as const) {
    assert.throws(() => readSettings(env), message);
  }
});
