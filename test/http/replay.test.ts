import assert from 'node:assert/strict';
import type { EventLog } from '../../libs/event-log/port.js';
import { withEngines } from '../support/audit-world.js';
import { decide } from '../support/calls.js';
import { startService, type Answered } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { test } from '../support/testing.js';

for (const [what, engines] of [
  ['decider', { decider: 99 }],
  ['Cedar', { cedar: '3.0.0' }],
] as const) {
  test(`a stored record of a ${what} that this build lacks is engine_gone in replay and evidence`, async (t) => {
    // Reads the service's log as if another build had written it.
    const service = await startService({ wrapLog: (log): EventLog => withEngines(log, engines) });
    t.after(() => service.stop());
    await readyWorld(service);
    const task = await openTask(service);
    const { position } = await decide(service, task);
    const ask = async (path: string): Promise<Answered> =>
      expecting(200, await service.call('auditor', 'GET', `${path}?minPosition=${position}`));
    const trace = `/v1/audit/traces/${task.traceId}`;
    const { identical, calls } = await ask(`${trace}/replay`);
    assert.deepEqual([identical, calls.map((call: Answered) => call.identical)], ['engine_gone', ['engine_gone']]);
    assert.deepEqual(calls[0].redecided, calls[0].recorded);
    assert.equal((await ask(trace)).calls[0].engine, 'engine_gone');
    const { items } = await ask('/v1/audit/calls');
    assert.deepEqual(
      items.map(({ engine, reason }: Answered) => [engine, reason]),
      [['engine_gone', 'ok']],
    );
  });
}
