import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Answered } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { place, until } from './child.js';
import { test } from '../support/testing.js';

/** A process that is stopped for longer than its lease, as by a debugger, a hypervisor or a machine that swaps. */

const LEASE_MS = 300;
const CALLS = 12;
/** Of the second, the deadline of the append is over too: then there is no decision. */
const STOPS_MS = [LEASE_MS + 150, 2_000];

for (const stoppedMs of STOPS_MS) {
  test(`stopped for ${stoppedMs} ms with commits in flight: what they come to is no allow any more`, async (t) => {
    const { dataDir, start } = place(t);
    const service = await start({ env: { SALLYPORT_LEASE_MS: String(LEASE_MS) } });
    await readyWorld(service);
    const tasks = await Promise.all(Array.from({ length: CALLS }, () => openTask(service)));
    const bodies = tasks.map((task) => callBody(task));
    const authorize = (body: Answered): Promise<Answer> => service.call('host', 'POST', '/v1/calls/authorize', body);
    // Each connection is there, so that nothing but the questions is on its way when the process stops.
    for (const answer of await Promise.all(tasks.map((task) => authorize(callBody(task))))) expecting(200, answer);

    // Somebody else writes to the file: no commit gets through, so all of them are in flight for certain.
    const other = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 10_000 });
    other.exec('BEGIN IMMEDIATE');
    const asked = bodies.map(authorize);
    await until(service, async () => {
      const { body } = await service.call('nobody', 'GET', '/metrics');
      const waiting = Number(/^sallyport_append_queue_batches (\d+)$/m.exec(body)?.[1]);
      return waiting >= CALLS ? true : undefined;
    });
    service.kill('SIGSTOP');
    other.exec('ROLLBACK');
    other.close();
    await pause(stoppedMs);
    service.kill('SIGCONT');

    const reasons = (await Promise.all(asked)).map(({ status, body }) => {
      assert.notEqual(body.decision, 'allow', JSON.stringify(body));
      const reason: string = body.reason ?? body.code;
      // A batch that the writer had begun is of unknown fate; one that it had not was taken back.
      const known = status === 200 ? ['view_stale'] : ['log_unavailable', 'outcome_unknown'];
      assert.ok(known.includes(reason), `${status} ${reason}`);
      return reason;
    });
    t.diagnostic(JSON.stringify(Object.groupBy(reasons, String), (_, value) => value.length ?? value));
    // And it continues: the same calls are decided again, and the record holds all of it.
    for (const [index, body] of bodies.entries()) {
      const allowed = await until(service, async () => {
        const answer = await authorize(body);
        return answer.status === 200 ? answer.body : undefined;
      });
      assert.equal(allowed.decision, 'allow');
      const path = `/v1/audit/traces/${tasks[index]?.traceId}`;
      const { events } = expecting(200, await service.call('auditor', 'GET', path));
      const recorded = events.filter(
        ({ type, data }: Answered) => type === 'CallDecided' && data.callId === body.callId,
      );
      // A first attempt is written without its number.
      const told = recorded.map(({ data }: Answered) => `${data.attempt ?? 1} ${data.decision}`);
      if (reasons[index] === 'view_stale') assert.deepEqual(told.slice(0, 2), ['1 allow', '2 deny']);
      assert.ok(recorded.some(({ position }: Answered) => position === allowed.position));
    }
  });
}
