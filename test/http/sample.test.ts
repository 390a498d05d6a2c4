import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { drawnNumbers } from '../../libs/audit/index/draw.js';
import { decide } from '../support/calls.js';
import { cli } from '../support/cli.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { test } from '../support/testing.js';

const sample = async (service: TestService, query = ''): Promise<Answered> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/sample${query}`));

const states = ({ evidence }: Answered): Answered =>
  Object.fromEntries(Object.entries(evidence).map(([name, { state }]: Answered) => [name, state]));

const asAuditor = (service: TestService) => ({
  ...service,
  tokens: { ...service.tokens, operator: service.tokens.auditor },
});

test('a sample says of each call what can be recovered, and its seed draws it again', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service);
  const shredded = await openTask(service);
  const { callId } = await decide(service, task, { operation: 'count', arguments: {} });
  const result = { content: [], structuredContent: { notes: 2 } };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, { taskId: task.taskId, result }));
  await decide(service, task, { arguments: {} });
  await decide(service, task, { operation: 'forget' });
  await decide(service, { ...task, taskId: randomUUID() });
  await decide(service, shredded);
  const whole = await sample(service, '?seed=a');
  assert.deepEqual([whole.total, whole.items.length, whole.recoverable], [5, 5, true]);
  const recovered = { serverIdentity: 'recovered', version: 'recovered', scopeCheck: 'recovered' };
  const absent = { outbound: 'not_applicable', response: 'not_applicable', validation: 'not_applicable' };
  assert.deepEqual(whole.items.map(states), [
    { ...recovered, outbound: 'recovered', response: 'recovered', validation: 'recovered' },
    { ...recovered, ...absent },
    { ...recovered, ...absent },
    { serverIdentity: 'not_applicable', version: 'not_applicable', scopeCheck: 'not_applicable', ...absent },
    { ...recovered, ...absent, outbound: 'recovered' },
  ]);
  const two = await sample(service, '?calls=2&seed=b');
  await decide(service, task);
  assert.deepEqual(await sample(service, `?calls=2&seed=b&asOf=${two.asOf}`), two);
  assert.equal((await sample(service, '?calls=2')).items.length, 2);
  for (const query of ['?calls=0', '?calls=201', '?seed=a%20b', '?sed=a', '?asOf=x']) {
    const { status } = await service.call('auditor', 'GET', `/v1/audit/sample${query}`);
    assert.equal(status, 400, query);
  }

  const printed = await cli(asAuditor(service), 'sample', '--calls', '6', '--seed', 'c');
  assert.equal(printed.code, 0, printed.err);
  const first = whole.items[0];
  const cells = Object.values(first.evidence).map(({ digest }: Answered) => digest.slice(7, 19));
  const line = printed.out.split('\n').find((each) => each.includes(first.callId)) ?? '';
  assert.ok(
    cells.every((cell) => line.includes(cell)),
    `${line} has not ${cells.join()}`,
  );
  assert.match(printed.out, /6 of 6 recorded calls; draws the same again: --seed c --as-of \d+/);

  await service.service.stores.keyring.shred(shredded.taskId);
  const lost = await sample(service, '?seed=a');
  assert.equal(lost.recoverable, false);
  assert.notEqual(lost.items[4].evidence.outbound.state, 'recovered');
  assert.deepEqual(lost.items[0], first);
  const failed = await cli(asAuditor(service), 'sample', '--seed', 'a');
  assert.equal(failed.code, 1);
  assert.match(failed.out, /^1 of 6 calls CANNOT be recovered whole$/m);
});

test('each number is drawn as often as any other, and none twice', () => {
  const [seeds, total, count] = [20_000, 40, 3];
  const drawn = Array.from({ length: total }, () => 0);
  for (let seed = 0; seed < seeds; seed += 1) {
    const numbers = drawnNumbers(`seed-${seed}`, total, count);
    assert.equal(new Set(numbers).size, count);
    for (const number of numbers) drawn[number - 1] = (drawn[number - 1] ?? 0) + 1;
  }
  const expected = (seeds * count) / total;
  const chiSquared = drawn.reduce((sum, times) => sum + (times - expected) ** 2 / expected, 0);
  // The seeds are fixed, so the figure is too: 99.9 % of fair draws are below 72 (39 degrees of freedom).
  assert.ok(chiSquared < 72, `${chiSquared}`);
  assert.deepEqual(drawnNumbers('a', 2, 10), [1, 2]);
  assert.deepEqual(drawnNumbers('a', 0, 10), []);
});
