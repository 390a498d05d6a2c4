import assert from 'node:assert/strict';
import { appendingBy } from '../process/logs.js';
import { refused } from '../support/problems.js';
import { startService } from '../support/service.js';
import { ALLOW_ALL, expecting } from '../support/world.js';
import { test } from '../support/testing.js';

/** Requests that cost more than their asking. */

test('however many ask whether it is ready, the log is asked once at a time', async (t) => {
  let appends = 0;
  const held = Promise.withResolvers<void>();
  const service = await startService({
    wrapLog: (log) =>
      appendingBy(log, async (batch, append) => {
        if (batch.checks[0]?.stream !== 'health') return append(batch);
        appends += 1;
        await held.promise;
        return append(batch);
      }),
  });
  t.after(() => service.stop());
  const answers = Array.from({ length: 30 }, () => service.call('nobody', 'GET', '/health/ready'));
  // All of them have come once one that came last is answered.
  expecting(200, await service.call('nobody', 'GET', '/health/live'));
  held.resolve();
  for (const answer of await Promise.all(answers)) expecting(200, answer);
  assert.ok(appends >= 1 && appends <= 10, `${appends} for 30`);
});

test('few policies are read at once: each takes a thread', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  const propose = () => service.call('registrar', 'POST', '/v1/policies/default', { cedar: ALLOW_ALL, reason: 'test' });
  const answers = await Promise.all(Array.from({ length: 24 }, propose));
  const busy = answers.filter(({ status }) => status === 429);
  assert.ok(busy.length > 0 && busy.length <= 20, `${busy.length} of 24`);
  for (const answer of busy) refused(429, 'overloaded', answer);
  expecting(201, await propose());
});
