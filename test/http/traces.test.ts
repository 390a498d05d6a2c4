import assert from 'node:assert/strict';
import type { EventLog } from '../../libs/event-log/port.js';
import { decide } from '../support/calls.js';
import { gate } from '../support/gate.js';
import { startService, type Answered } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { test } from '../support/testing.js';

test('evidence costs no more for all the directives that came before: they are read once', async (t) => {
  let read = 0;
  const wrapLog = (log: EventLog): EventLog => ({
    ...gate().wrap(log),
    async read(stream, after, limit) {
      const events = await log.read(stream, after, limit);
      if (stream === 'directives') read += events.length;
      return events;
    },
  });
  const service = await startService({ wrapLog });
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
  read = 0;
  const { calls } = await ask(trace);
  assert.ok(read <= 105, `${read} events of directives were read for the first trace`);
  read = 0;
  const replay = await ask(`${trace}/replay`);
  const again = await ask(trace);
  await ask('/v1/audit/calls');
  assert.ok(read <= 2, `${read} events of directives were read for what came after it`);
  assert.deepEqual([replay.identical, replay.calls.map(({ identical }: Answered) => identical)], [true, [true, true]]);
  assert.deepEqual(again.calls, calls);
  const stops = calls[1].capabilityHistory.filter(({ stream }: Answered) => stream === 'directives');
  assert.deepEqual(
    stops.map(({ data }: Answered) => data.id),
    [id],
  );
});
