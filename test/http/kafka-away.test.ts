import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { startService } from '../support/service.js';
import { test } from '../support/testing.js';

test('a service that cannot find its brokers is ready, and reveals their addresses to nobody', async (t) => {
  const env = { SALLYPORT_KAFKA_BROKERS: 'kafka-seven.invalid:9092' };
  const service = await startService({ env });
  t.after(() => service.stop());
  const reasons = new Set<string>();
  for (let tries = 0; tries < 200 && reasons.size === 0; tries += 1) {
    const answer = await fetch(`${service.url}/health/ready`);
    assert.equal(answer.status, 200);
    const { kafka } = (await answer.json()) as { kafka: Record<string, { state: string; reason?: string }> };
    for (const { reason } of Object.values(kafka)) if (reason !== undefined) reasons.add(reason);
    await pause(20);
  }
  assert.ok(reasons.size > 0);
  for (const reason of reasons) assert.doesNotMatch(reason, /kafka-seven/);
});
