import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sealEvent } from '../../libs/event-log/event.js';
import { decide } from '../support/calls.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting, openTask, readyWorld } from '../support/world.js';

/** The free texts of a host about its calls and tasks are content: encrypted, shown to auditors, and erased with the key. */

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

const OUTCOME = {
  status: 'succeeded',
  effect: { type: 'read', summary: 'canary-summary', reference: 'canary-reference' },
  control: { decision: 'approved', by: 'ada', reason: 'canary-reason' },
};

const told = (callId: string, taskId: string, outcome: object = OUTCOME) =>
  service.call('host', 'POST', `/v1/calls/${callId}/outcome`, { taskId, ...outcome });

const trace = async ({ traceId }: Answered): Promise<Answered> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}`));

test('the words of a host are in no event and no file, and auditors read them until the key is gone', async () => {
  const task = await openTask(service);
  const { callId } = await decide(service, task);
  const { position } = expecting(200, await told(callId, task.taskId));
  const again = { ...OUTCOME, effect: { ...OUTCOME.effect, summary: 'another' } };
  assert.equal(expecting(200, await told(callId, task.taskId)).position, position);
  refused(409, 'invalid_transition', await told(callId, task.taskId, again));
  const close = await service.call('host', 'POST', `/v1/tasks/${task.taskId}/close`, { reason: 'canary-close' });
  expecting(200, close);

  const whole = await trace(task);
  const { status: _, ...words } = OUTCOME;
  assert.deepEqual(whole.calls[0].outcome, { status: 'succeeded', ...words });
  assert.equal(whole.tasks[0].closeReason, 'canary-close');
  assert.doesNotMatch(JSON.stringify(whole.events), /canary/);
  const found = expecting(200, await service.call('auditor', 'GET', `/v1/audit/calls?task=${task.taskId}`));
  assert.doesNotMatch(JSON.stringify(found), /canary/);
  for (const file of readdirSync(service.dataDir)) {
    assert.doesNotMatch(readFileSync(join(service.dataDir, file), 'latin1'), /canary/, file);
  }

  const shredding = { cause: 'task' } as const;
  await service.service.decisions.shredder.shred([task.taskId], { name: 'system:test' }, shredding);
  const left = await trace(task);
  const gone = 'shredded';
  assert.deepEqual(left.calls[0].outcome, {
    status: 'succeeded',
    effect: { type: 'read', summary: gone, reference: gone },
    control: { decision: 'approved', by: 'ada', reason: gone },
  });
  assert.equal(left.tasks[0].closeReason, gone);
});

test('records of version 1, which hold the words, are shown, repeated and defended as before', async () => {
  const task = await openTask(service);
  const { callId } = await decide(service, task);
  const { taskId, traceId } = task;
  const { log } = service.service.stores;
  const time = service.service.control.time.now();
  const seal = (stream: string, type: string, data: object) =>
    sealEvent({ stream, revision: 2, type, schemaVersion: 1, time, actor: 'local-host', traceId, data });
  const write = (stream: string, type: string, data: object) => ({
    stream,
    expected: 1,
    events: [seal(stream, type, data)],
  });
  const appended = await log.append({
    writes: [
      write(`task-${taskId}`, 'TaskClosed', { taskId, reason: 'an old reason' }),
      write(`calls-${taskId}`, 'OutcomeRecorded', { callId, taskId, ...OUTCOME }),
    ],
    checks: [],
  });
  assert.equal(appended.kind, 'committed');
  const other = { ...OUTCOME, control: { ...OUTCOME.control, reason: 'other' } };
  refused(409, 'invalid_transition', await told(callId, taskId, other));
  const repeated = expecting(200, await told(callId, taskId));
  assert.equal(repeated.position, appended.kind === 'committed' ? String(appended.position) : '');
  const { calls, tasks } = await trace(task);
  const { status: _, ...words } = OUTCOME;
  assert.deepEqual(calls[0].outcome, { status: 'succeeded', ...words });
  assert.equal(tasks[0].closeReason, 'an old reason');
});
