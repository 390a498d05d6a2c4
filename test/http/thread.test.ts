import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';

test('from registration to a recorded outcome, over HTTP', async () => {
  const service = await startService();
  try {
    await readyWorld(service);
    const task = await openTask(service);
    const body = callBody(task);
    const allowed = expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
    assert.equal(allowed.decision, 'allow', JSON.stringify(allowed));
    const repeated = expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
    assert.deepEqual(repeated, allowed);
    const result = { content: [{ type: 'text', text: 'a note' }] };
    const response = expecting(
      200,
      await service.call('host', 'POST', `/v1/calls/${body.callId}/response`, { taskId: task.taskId, result }),
    );
    assert.equal(response.verdict, 'accepted');
    expecting(
      200,
      await service.call('host', 'POST', `/v1/calls/${body.callId}/outcome`, {
        taskId: task.taskId,
        status: 'succeeded',
      }),
    );
  } finally {
    await service.stop();
  }
});
