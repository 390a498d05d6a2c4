import assert from 'node:assert/strict';
import { newCapability, scopeOf, unique, versionCommand } from '../support/actors.js';
import { decide, stop } from '../support/calls.js';
import { logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld, register } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const ALMOST_MS = 1900;
const LATER_MS = 4000;

let service: TestService;
let task: Answered;
before(async () => {
  service = await startService();
  await readyWorld(service);
  task = await openTask(service);
});
after(() => service.stop());

/** A query of each kind, with the role that may make it. */
const QUERIES: readonly [Parameters<TestService['call']>[0], () => string][] = [
  ['auditor', () => '/v1/capabilities'],
  ['auditor', () => '/v1/capabilities/memory'],
  ['auditor', () => '/v1/capabilities/memory/versions/1.0.0'],
  ['auditor', () => '/v1/capabilities/memory/versions/1.0.0/diff?against=1.0.0'],
  ['auditor', () => '/v1/reviews'],
  ['auditor', () => '/v1/policies/default'],
  ['auditor', () => '/v1/directives'],
  ['host', () => `/v1/tasks/${task.taskId}`],
  ['auditor', () => `/v1/audit/traces/${task.traceId}`],
  ['auditor', () => `/v1/audit/traces/${task.traceId}/replay`],
  ['auditor', () => '/v1/audit/calls'],
  ['auditor', () => `/v1/audit/calls?trace=${task.traceId}`],
  ['auditor', () => '/v1/audit/events'],
];

const query = (who: Parameters<TestService['call']>[0], path: string, minPosition: unknown) =>
  service.call(who, 'GET', `${path}${path.includes('?') ? '&' : '?'}minPosition=${String(minPosition)}`);

for (const [who, pathOf] of QUERIES) {
  const name = pathOf.toString().replace(/^.*?['`]|['`]$/g, '');
  test(`GET ${name} answers for every position that was given out`, async () => {
    const { position } = await decide(service, task);
    expecting(200, await query(who, pathOf(), position));
    expecting(200, await query(who, pathOf(), 0));
  });

  test(`GET ${name} refuses a minPosition that is none`, async () => {
    for (const position of ['', '-1', '1.5', '1e3', 'last', '9'.repeat(20), '9223372036854775808']) {
      refused(400, 'malformed_request', await query(who, pathOf(), position));
    }
  });
}

test('a query for a position that has not been seen waits for two seconds, then it is a 503', async () => {
  const ahead = (await logEnd(service)) + 1000n;
  const startedMs = performance.now();
  const answers = await Promise.all(QUERIES.map(([who, pathOf]) => query(who, pathOf(), ahead)));
  const tookMs = performance.now() - startedMs;
  for (const answer of answers) refused(503, 'view_stale', answer);
  assert.ok(tookMs >= ALMOST_MS && tookMs < LATER_MS, `${tookMs} ms`);
});

test('strangers wait for nothing, and one principal that waits leaves room for others and for health', async () => {
  const ahead = (await logEnd(service)) + 1_000_000n;
  const startedMs = performance.now();
  refused(400, 'malformed_request', await query('nobody', '/health/live', ahead));
  assert.ok(performance.now() - startedMs < ALMOST_MS, 'a stranger waited');
  const refusedMs: number[] = [];
  const waiting = Array.from({ length: 600 }, async () => {
    refused(503, 'view_stale', await query('operator', '/v1/capabilities', ahead));
    refusedMs.push(performance.now() - startedMs);
  });
  await Promise.race(waiting);
  expecting(200, await service.call('nobody', 'GET', '/health/ready'));
  const next = (await logEnd(service)) + 1n;
  const asked = query('auditor', '/v1/capabilities', next);
  await register(service, unique('cap'));
  expecting(200, await asked);
  await Promise.all(waiting);
  const atOnce = refusedMs.filter((ms) => ms < ALMOST_MS).length;
  assert.ok(atOnce > 0 && atOnce <= 100, `${atOnce} were refused at once`);
});

test('a query that waits is answered as soon as its position is there', async () => {
  const id = unique('cap');
  const ahead = (await logEnd(service)) + 2n;
  const startedMs = performance.now();
  const asked = query('auditor', '/v1/capabilities', ahead);
  await register(service, id);
  const { items } = expecting(200, await asked);
  assert.ok(items.some((item: Answered) => item.id === id));
  assert.ok(performance.now() - startedMs < ALMOST_MS);
});

test('every command answers with its position, and a query for it sees what the command did', async () => {
  const id = await newCapability(service);
  const read = async (position: string) =>
    expecting(200, await query('auditor', `/v1/capabilities/${id}/versions/1.0.0`, position)).status;
  const suspended = expecting(200, await versionCommand(service, 'operator', id, 'suspend'));
  assert.equal(await read(suspended.position), 'suspended');
  const reinstated = expecting(200, await versionCommand(service, 'reviewer', id, 'reinstate'));
  assert.ok(BigInt(reinstated.position) > BigInt(suspended.position));
  assert.equal(await read(reinstated.position), 'approved');

  const lift = await stop(service, { type: 'capability', capability: unique('none') });
  const { position, epoch } = await lift();
  const beat = expecting(200, await query('host', '/v1/directives', position));
  assert.ok(beat.epoch >= epoch && BigInt(beat.position) >= BigInt(position));
});

test('positions of tasks, calls, responses, outcomes and principals are positions too', async () => {
  const opened = await openTask(service, { scope: scopeOf('memory') });
  const body = callBody(opened);
  const call = (path: string, more: Answered) =>
    service.call('host', 'POST', `/v1/calls/${body.callId}/${path}`, { taskId: opened.taskId, ...more });
  const answers = [
    opened,
    expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body)),
    expecting(200, await call('response', { result: { content: [] } })),
    expecting(200, await call('outcome', { status: 'succeeded' })),
    expecting(200, await service.call('host', 'POST', `/v1/tasks/${opened.taskId}/close`, {})),
    expecting(201, await service.call('admin', 'POST', '/v1/principals', { name: unique('p'), roles: ['auditor'] })),
  ];
  let last = 0n;
  for (const { position } of answers) {
    assert.match(position, /^\d+$/);
    assert.ok(BigInt(position) > last);
    last = BigInt(position);
  }
});
