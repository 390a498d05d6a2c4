import assert from 'node:assert/strict';
import { newTraceId } from '../../libs/decision-point/trace.js';
import { parseEvent } from '../../libs/event-log/event.js';
import { families, type EventOf } from '../../libs/streams/catalogue.js';
import { MAX_QUERY_CHARS } from '../../libs/streams/retention-events.js';
import { addPrincipal } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { startService, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting, openTask, readyWorld } from '../support/world.js';

/** Reading evidence is evidence too: who asked for what. */

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

const readsOf = async (name: string) =>
  (await service.service.stores.log.read(families.reads.stream(name))).map(
    ({ json }) => (parseEvent(json) as EventOf<'EvidenceRead'>).data,
  );

test('each way to read evidence is recorded before the answer, without the names of users', async () => {
  const task = await openTask(service);
  await decide(service, task);
  const { traceId } = task;
  const asked: readonly [string, object][] = [
    [`traces/${traceId}`, { operation: 'getTrace', traceId }],
    [`traces/${traceId}/replay`, { operation: 'replayTrace', traceId }],
    [
      'calls?user=ada&decision=deny&limit=3'.replace('user', 'identity'),
      {
        operation: 'findCalls',
        query: 'decision=deny&identity=(withheld)',
      },
    ],
    ['tasks?status=open', { operation: 'findTasks', query: 'status=open' }],
    ['events?types=TaskOpened&limit=1', { operation: 'listEvents', query: 'types=TaskOpened' }],
    ['sample?calls=1', { operation: 'sampleCalls', query: 'calls=1' }],
  ];
  for (const [path, what] of asked) {
    const auditor = await addPrincipal(service, ['auditor']);
    expecting(200, await service.call(auditor, 'GET', `/v1/audit/${path}`));
    const [read, ...more] = await readsOf(auditor.name);
    assert.deepEqual([read?.by, read?.count, read?.what, more], [auditor.name, 1, [{ ...what, count: 1 }], []], path);
  }
});

test('the download of a bundle is recorded before its first byte', async (t) => {
  const sealing = await startService({ sealing: undefined });
  t.after(() => sealing.stop());
  await readyWorld(sealing);
  const { traceId } = await openTask(sealing);
  expecting(200, await sealing.call('auditor', 'GET', `/v1/audit/traces/${traceId}/bundle?content=omit`));
  const { log } = sealing.service.stores;
  const [read] = await log.read(families.reads.stream('local-auditor'));
  const { what } = (parseEvent(read?.json ?? '') as EventOf<'EvidenceRead'>).data;
  assert.deepEqual(what, [{ operation: 'exportBundle', traceId, query: 'content=omit', count: 1 }]);
});

test('a filter that is cut within a character hinders neither its answer nor the next', async () => {
  const auditor = await addPrincipal(service, ['auditor']);
  const agent = `${'x'.repeat(MAX_QUERY_CHARS - 'agent='.length - 1)}😀`;
  expecting(200, await service.call(auditor, 'GET', `/v1/audit/calls?agent=${encodeURIComponent(agent)}`));
  expecting(200, await service.call(auditor, 'GET', '/v1/audit/calls'));
  const [read] = await readsOf(auditor.name);
  assert.equal(read?.what[0]?.query, `agent=${agent.slice(0, -2)}\ufffd`);
});

test('a question that found nothing is not recorded, and the rest is at the stop', async (t) => {
  const other = await startService();
  const { dataDir } = other;
  t.after(() => again.stop());
  const unknown = await other.call('auditor', 'GET', `/v1/audit/traces/${newTraceId()}`);
  assert.equal(unknown.status, 404);
  for (let poll = 0; poll < 5; poll += 1) expecting(200, await other.call('auditor', 'GET', '/v1/audit/events'));
  await other.stop('keep');
  const again = await startService({ dataDir });
  const { items } = expecting(200, await again.call('auditor', 'GET', '/v1/audit/events?types=EvidenceRead'));
  const counts = items.map(({ data }: { data: { count: number } }) => data.count);
  assert.equal(
    counts.reduce((sum: number, count: number) => sum + count, 0),
    5,
  );
});
