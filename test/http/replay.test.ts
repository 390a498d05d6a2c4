import assert from 'node:assert/strict';
import { parseEvent, type SealedEvent } from '../../libs/event-log/event.js';
import type { EventLog } from '../../libs/event-log/port.js';
import type { JsonObject } from '../../libs/kernel/canonical-json.js';
import { forged, tampered } from '../support/audit-world.js';
import { decide } from '../support/calls.js';
import { startService, type Answered } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { test } from '../support/testing.js';

/** The log as another build writes it: each decision names its engines. */
function writtenWith(log: EventLog, engines: JsonObject): EventLog {
  const written = (event: SealedEvent): SealedEvent => {
    if (event.type !== 'CallDecided') return event;
    const { json } = forged({ ...event, position: 0n }, (data) => ({
      ...data,
      engines: { ...(data['engines'] as object), ...engines },
    }));
    return { ...event, json, id: parseEvent(json).id };
  };
  return tampered(log, {
    append: ({ writes, ...batch }, recall) =>
      log.append({ ...batch, writes: writes.map((each) => ({ ...each, events: each.events.map(written) })) }, recall),
  });
}

for (const [what, engines] of [
  ['decider', { decider: 99 }],
  ['Cedar', { cedar: '3.0.0' }],
  ['rule pack', { pack: `sha256:${'0'.repeat(64)}` }],
] as const) {
  test(`a stored record of a ${what} that this build lacks is engine_gone in replay and evidence`, async (t) => {
    const service = await startService({ wrapLog: (log): EventLog => writtenWith(log, engines) });
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
