import assert from 'node:assert/strict';
import { newCapability } from '../support/actors.js';
import { addApprover, decideApproval } from '../support/approvals.js';
import { decide } from '../support/calls.js';
import { startService } from '../support/service.js';
import { expecting, openTask, proposal, readyWorld } from '../support/world.js';
import { test } from '../support/testing.js';

test('in strict flow, somebody else approves arguments of a task that has seen more than the capability may', async () => {
  const service = await startService({ env: { SALLYPORT_FLOW: 'strict' } });
  try {
    await readyWorld(service);
    const manifest = { ...proposal().manifest, sensitivity: 'restricted' };
    const vault = await newCapability(service, proposal('1.0.0', { manifest }));
    const effects = ['read', 'write'];
    const scope = ['memory', vault].map((capability) => ({ capability, effects }));
    const task = await openTask(service, { scope });
    const recall = { capability: 'memory', arguments: { key: 'a' } };
    assert.equal((await decide(service, task, recall)).decision, 'allow');
    const { callId } = await decide(service, task, { capability: vault });
    const result = { content: [{ type: 'text', text: 'a note' }] };
    const response = { taskId: task.taskId, result };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, response));
    const { reason, approval } = await decide(service, task, recall);
    assert.deepEqual([reason, approval?.by, approval?.why], ['approval_required', 'other', ['flow']]);
    const bob = await addApprover(service, 'bob');
    expecting(200, await decideApproval(service, bob, approval.id, 'granted'));
    assert.notEqual((await decide(service, task, recall)).reason, 'approval_required');
  } finally {
    await service.stop();
  }
});
