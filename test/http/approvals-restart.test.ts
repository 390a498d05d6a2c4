import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { addApprover, decideApproval } from '../support/approvals.js';
import { decide } from '../support/calls.js';
import { startService, type Answered } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { test } from '../support/testing.js';

const store = { operation: 'store', arguments: { key: 'a' } };

test('requests, grants and uses are the same after a restart', async () => {
  const first = await startService();
  await readyWorld(first);
  const approver = await addApprover(first, 'bob');
  const guarded = { approve: { effects: ['write'], by: 'other' } };
  const tasks: Answered[] = [await openTask(first, guarded), await openTask(first, guarded)];
  const ids: string[] = [];
  for (const task of tasks) ids.push((await decide(first, task, store)).approval.id);
  expecting(200, await decideApproval(first, approver, ids[0] ?? '', 'granted'));
  await first.stop('keep');

  const second = await startService({ dataDir: first.dataDir });
  expecting(200, await decideApproval(second, approver, ids[1] ?? '', 'granted'));
  for (const task of tasks) assert.equal((await decide(second, task, store)).decision, 'allow');
  await second.stop('keep');

  const third = await startService({ dataDir: first.dataDir });
  try {
    for (const task of tasks) assert.equal((await decide(third, task, store)).reason, 'approval_required');
    const { items } = expecting(200, await third.call('auditor', 'GET', '/v1/approvals?state=used'));
    assert.deepEqual(new Set(items.map(({ id }: Answered) => id)), new Set(ids));
  } finally {
    await third.stop();
  }
});

test('a service that goes away ends the waits for approvals', async () => {
  const service = await startService();
  await readyWorld(service);
  const task = await openTask(service, { approve: { effects: ['write'], by: 'other' } });
  const { approval } = await decide(service, task, store);
  const waiting = service.call('host', 'GET', `/v1/approvals/${approval.id}?waitMs=25000`);
  await pause(200);
  const startedMs = performance.now();
  await service.stop();
  assert.ok(performance.now() - startedMs < 8_000);
  assert.equal((await waiting).body.state, 'pending');
});
