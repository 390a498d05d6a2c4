import assert from 'node:assert/strict';
import { eventsOf } from '../support/events.js';
import { allowedCall, respondTo, reviewedWith, textResult } from '../support/quarantine.js';
import { startService, type Answered } from '../support/service.js';
import { activatePolicy } from '../support/world.js';
import { test } from '../support/testing.js';

test('a secret in a response is delivered, counted, and raises the label of the response', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  await reviewedWith(service, 'memory');
  await activatePolicy(service);
  const call = await allowedCall(service, 'memory');
  const { verdict, findings } = await respondTo(service, call, textResult('the key is AKIAIOSFODNN7EXAMPLQ'));
  assert.equal(verdict, 'accepted');
  const found = findings.map(({ kind, detector, severity }: Answered) => [kind, detector, severity]);
  assert.deepEqual(found, [['secret', 'secret:aws_access_key', 'info']]);
  const events = await eventsOf(service, `calls-${call.taskId}`);
  const { data } = events.find(({ type }) => type === 'ResponseValidated') as Answered;
  assert.deepEqual(data.label, { level: 'restricted', categories: ['secret:aws_access_key'] });
});
