import assert from 'node:assert/strict';
import { decide } from '../support/calls.js';
import { startService, type Answered } from '../support/service.js';
import { expecting, historyIn, openTask, readyWorld } from '../support/world.js';
import { test } from '../support/testing.js';

test('evidence names the directives about its call, among all that came before', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const issue = async (capability: string): Promise<Answered> =>
    expecting(
      201,
      await service.call('operator', 'POST', '/v1/directives', {
        target: { type: 'capability', capability },
        reason: 'INC-1',
      }),
    );
  for (let count = 0; count < 100; count += 1) await issue(`other-${count}`);
  const task = await openTask(service);
  assert.equal((await decide(service, task)).decision, 'allow');
  const { id } = await issue('memory');
  assert.equal((await decide(service, task)).reason, 'disabled');
  const ask = async (path: string): Promise<Answered> => expecting(200, await service.call('auditor', 'GET', path));
  const trace = `/v1/audit/traces/${task.traceId}`;
  const first = await ask(trace);
  const { calls } = first;
  const replay = await ask(`${trace}/replay`);
  const again = await ask(trace);
  assert.deepEqual([replay.identical, replay.calls.map(({ identical }: Answered) => identical)], [true, [true, true]]);
  assert.deepEqual(again.calls, calls);
  const stops = historyIn(first, calls[1]).filter(({ stream }) => stream === 'directives');
  assert.deepEqual(
    stops.map(({ data }: Answered) => data.id),
    [id],
  );
});
