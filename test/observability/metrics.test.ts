import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { registerGauges } from '../../apps/pdp/observability/gauges.js';
import { LogOverloaded, LogUnavailable, type Batch, type EventLog } from '../../libs/event-log/port.js';
import { ReasonCode } from '../../libs/vocabulary/words.js';
import { decide, stop } from '../support/calls.js';
import { startService, type TestService } from '../support/service.js';
import { callBody, expecting, MEMORY_DEFINITION, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** When set, what the next appends of decisions throw. */
let failing: Error | undefined;
const isDecision = ({ writes }: Batch) => writes.some(({ stream }) => stream.startsWith('calls-'));
const faulty = (log: EventLog): EventLog => ({
  ...log,
  append: (batch) => (failing !== undefined && isDecision(batch) ? Promise.reject(failing) : log.append(batch)),
});

let service: TestService;
before(async () => {
  service = await startService({ wrapLog: faulty });
  await readyWorld(service);
});
after(() => service.stop());

const scrape = async (): Promise<string> => expecting(200, await service.call('nobody', 'GET', '/metrics'));

/** The value of one line, 0 where there is none: a counter that never counted is not told. */
function valueOf(text: string, name: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** How much each of the named values grows by while something happens. */
async function growth(names: readonly string[], act: () => Promise<unknown>): Promise<number[]> {
  const earlier = await scrape();
  await act();
  const later = await scrape();
  return names.map((name) => valueOf(later, name) - valueOf(earlier, name));
}

test('decisions are counted by reason and timed, with the appends that record them', async () => {
  const task = await openTask(service);
  const names = [
    'sallyport_decisions_total{decision="allow",reason="ok"}',
    'sallyport_decisions_total{decision="deny",reason="operation_unknown"}',
    'sallyport_authorize_seconds_count',
    'sallyport_append_seconds_count',
    'sallyport_appends_total{outcome="committed"}',
    'sallyport_append_grouped_batches_total',
  ];
  const grown = await growth(names, async () => {
    for (let each = 0; each < 3; each += 1) await decide(service, task);
    await decide(service, task, { operation: 'fly' });
  });
  // Each scrape asks the log whether it takes an append.
  assert.deepEqual(grown, [3, 1, 4, 4 + 1, 4 + 1, 4 + 1]);
});

test('what ended without a decision is counted by its cause', async () => {
  const task = await openTask(service);
  const authorize = () => service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
  const names = ['overloaded', 'log_unavailable'].flatMap((cause) => [`sallyport_undecided_total{cause="${cause}"}`]);
  names.push('sallyport_appends_total{outcome="overloaded"}', 'sallyport_appends_total{outcome="unavailable"}');
  const grown = await growth(names, async () => {
    try {
      failing = new LogOverloaded('full');
      expecting(429, await authorize());
      failing = new LogUnavailable('gone');
      expecting(503, await authorize());
    } finally {
      failing = undefined;
    }
  });
  assert.deepEqual(grown, [1, 1, 1, 1]);
});

test('a drift is counted by its severity as soon as one host reports it', async () => {
  const definition = { ...MEMORY_DEFINITION, instructions: 'Remembers everything.' };
  const path = '/v1/capabilities/memory/versions/1.0.0';
  const observe = async () =>
    expecting(200, await service.call('host', 'POST', `${path}/observations`, { definition }));
  const name = 'sallyport_drift_observed_total{severity="instruction-change"}';
  assert.deepEqual(await growth([name], observe), [1]);
  assert.deepEqual(await growth([name], observe), [0], 'without news');
  expecting(200, await service.call('reviewer', 'POST', `${path}/reinstate`, { reason: 'test' }));
});

test('epoch, WAL, lanes, the event loop and the process are told', async () => {
  const lift = await stop(service, { type: 'category', category: 'other' });
  const text = await scrape();
  const epoch = valueOf(text, 'sallyport_directives_epoch');
  assert.ok(epoch >= 1);
  await lift();
  assert.equal(valueOf(await scrape(), 'sallyport_directives_epoch'), epoch + 1);
  for (const name of [
    'sallyport_wal_bytes',
    'sallyport_log_bytes',
    'sallyport_task_lanes',
    'sallyport_append_groups_total',
    'nodejs_eventloop_lag_p99_seconds',
    'process_resident_memory_bytes',
  ]) {
    assert.ok(valueOf(text, name) > 0, name);
  }
  assert.equal(valueOf(text, 'sallyport_append_queue_batches'), 0);
});

test('nothing in it names or leads to anybody, except refusals for load', async () => {
  const task = await openTask(service);
  const body = callBody(task, { arguments: { key: 'a-secret-key' } });
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
  await decide(service, task, { capability: 'cap-of-nobody', operation: 'op-of-nobody' });
  // Refusals for load name their caller: the service was ordered to refuse one above.
  const text = (await scrape()).replaceAll(/^sallyport_overloaded_total\{.*$/gm, '');
  const { taskId, traceId } = task;
  const told = [taskId, traceId, body.callId, 'memory/', '"memory"', 'recall', 'ada', 'assistant', 'local-host'];
  for (const secret of [
    ...told,
    'a-secret-key',
    'nobody',
    'staff',
    ...Object.values(service.tokens),
    service.dataDir,
  ]) {
    assert.ok(!text.includes(secret), secret);
  }
  const reasons = [...text.matchAll(/reason="([^"]*)"/g)].map(([, reason]) => reason);
  assert.ok(reasons.length > 0);
  for (const reason of reasons) assert.ok(reason === 'ok' || ReasonCode.safeParse(reason).success, reason);
});

test('what is looked up is looked up when it is asked for', async () => {
  const registry = new Registry();
  const stats = {
    queuedBatches: 1,
    queuedBytes: 2,
    groups: 3,
    committed: 4,
    refused: 5,
    unwritten: 8,
    unknown: 6,
    deaths: 7,
  };
  let seen = 10n;
  const view = {
    get position() {
      return seen;
    },
    directives: () => ({ revision: 9, state: { active: new Map(), all: new Map() } as never }),
  };
  const log = { unseenMs: (position: bigint) => (position < 14n ? 250 : 0) };
  registerGauges(registry, { store: { stats: () => stats }, logFile: '/no/such/file', log, view, lanesHeld: () => 8 });
  const ask = async () => registry.metrics();
  let text = await ask();
  const values = (...names: string[]) => names.map((name) => valueOf(text, `sallyport_${name}`));
  assert.deepEqual(values('append_queue_batches', 'append_queue_bytes', 'append_groups_total'), [1, 2, 3]);
  assert.deepEqual(values('append_grouped_batches_total', 'append_unknown_total'), [15, 6]);
  assert.deepEqual(values('log_writer_deaths_total', 'task_lanes', 'directives_epoch', 'wal_bytes'), [7, 8, 9, 0]);
  assert.deepEqual(values('view_lag_seconds'), [0.25]);
  seen = 20n;
  text = await ask();
  assert.deepEqual(values('view_lag_seconds', 'append_groups_total'), [0, 3]);
});
