import assert from 'node:assert/strict';
import { startService, type Answered, type TestService } from '../support/service.js';
import {
  callBody,
  expecting,
  historyIn,
  INTEGRITY,
  MEMORY_DEFINITION,
  openTask,
  readyWorld,
} from '../support/world.js';
import { after, before, describe, test } from '../support/testing.js';

/** One thread through the whole service, from the side of a host and of an auditor. */
describe('from registration to evidence', () => {
  let service: TestService;
  before(async () => {
    service = await startService();
    await readyWorld(service);
  });
  after(() => service.stop());

  test('a call is allowed, answered, reported and replayed', async () => {
    const task = await openTask(service);
    const body = callBody(task);
    const allowed = expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
    assert.equal(allowed.decision, 'allow', JSON.stringify(allowed));
    const { callId } = body;
    const result = { content: [{ type: 'text', text: 'a note' }] };
    const responded = await service.call('host', 'POST', `/v1/calls/${callId}/response`, {
      taskId: task.taskId,
      result,
    });
    const { verdict, content } = expecting(200, responded);
    assert.equal(verdict, 'accepted');
    const outcome = { taskId: task.taskId, status: 'succeeded', effect: { type: 'read', summary: 'read a note' } };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/outcome`, outcome));

    const trace = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}`));
    const types = ['TaskOpened', 'TaskJoined', 'CallDecided', 'ResponseValidated', 'OutcomeRecorded'];
    assert.deepEqual(
      trace.events.map((event: Answered) => event.type),
      types,
    );
    const [evidence] = trace.calls;
    assert.equal(evidence.registry.version, '1.0.0');
    assert.equal(evidence.registry.review.by, 'local-reviewer');
    assert.equal(evidence.registry.signature.exception, 'signature_missing');
    assert.equal(evidence.serverAuthentication.result, 'verified');
    assert.deepEqual(evidence.outbound.arguments, body.arguments);
    assert.deepEqual(evidence.response.raw, { result });
    assert.deepEqual(evidence.response.validated, content);
    assert.equal(evidence.outcome.status, 'succeeded');
    assert.equal(historyIn(trace, evidence)[0].type, 'CapabilityRegistered');
    const replay = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}/replay`));
    assert.deepEqual([replay.identical, replay.calls.length], [true, 1]);
  });

  test('drift that a call shows is in its trace: the change and the suspension', async () => {
    const task = await openTask(service);
    const tools = MEMORY_DEFINITION.tools.map((tool) => ({ ...tool, description: 'Something else.' }));
    const observed = {
      definition: { ...MEMORY_DEFINITION, tools },
      server: { method: 'package', integrity: INTEGRITY },
    };
    const denied = expecting(
      200,
      await service.call('host', 'POST', '/v1/calls/authorize', callBody(task, { observed })),
    );
    assert.equal(denied.reason, 'definition_drifted');
    const trace = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}`));
    const types = trace.events.map((event: Answered) => event.type);
    for (const type of ['CallDecided', 'DriftObserved', 'VersionSuspended']) {
      assert.ok(types.includes(type), `${type} is missing among ${types.join(', ')}`);
    }
  });
});
