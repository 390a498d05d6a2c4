import assert from 'node:assert/strict';
import { damaged, makeWorld, must, traceOf, withEvents, type World } from '../../test/support/audit-world.js';
import { test, type TestContext } from '../../test/support/testing.js';
import type { CallSummary } from '../contract/evidence.js';
import type { EventLog } from '../event-log/port.js';

/** A record of the filter that is gone or damaged: evidence says so, and never that the filter took out nothing. */

async function filteredWorld(t: TestContext) {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { decision, outbound } = await world.authorize(taskId, { arguments: { key: 'a', extra: 'b' } });
  assert.deepEqual([decision, outbound?.redactions.length], ['allow', 1]);
  await world.caughtUp();
  return { world, traceId };
}

/** The calls of the list. */
async function listedIn(world: World, log?: EventLog): Promise<readonly CallSummary[]> {
  return must(await world.calls(log).find({}, 10)).items as readonly CallSummary[];
}

const withoutFilter = (log: EventLog): EventLog =>
  withEvents(log, (event) => (event.type === 'ContextFiltered' ? undefined : event));

const withBrokenFilter = (log: EventLog): EventLog =>
  withEvents(log, (event) => (event.type === 'ContextFiltered' ? damaged(event, 'not_declared', 'not_needed') : event));

test('with its record, a call is whole in the trace and in the list', async (t) => {
  const { world, traceId } = await filteredWorld(t);
  const trace = await traceOf(world, traceId);
  assert.equal(trace?.calls[0]?.damaged, undefined);
  const items = await listedIn(world);
  assert.deepEqual(items[0]?.outbound, {
    redactions: [{ path: '/arguments/*', type: 'not_declared', count: 1 }],
    refusals: [],
  });
});

for (const [what, broken] of [
  ['gone', withoutFilter],
  ['damaged', withBrokenFilter],
] as const) {
  test(`a record that is ${what} makes the call damaged in the trace, the list and the replay`, async (t) => {
    const { world, traceId } = await filteredWorld(t);
    const seen = broken(world.log);
    const trace = await traceOf(world, traceId, seen);
    assert.deepEqual(
      trace?.calls.map((call) => call.damaged),
      [true],
    );
    const items = await listedIn(world, seen);
    assert.deepEqual(
      items.map((item) => [item.damaged, item.outbound]),
      [[true, 'damaged']],
    );
    const replay = must(await world.audit(seen).replay(traceId));
    assert.deepEqual(
      replay?.calls.map((call) => call.damaged),
      [true],
    );
  });
}

test('a page that begins between the record and its decision has both', async (t) => {
  const { world, traceId } = await filteredWorld(t);
  const limits = { maxCalls: 1, maxEvents: 1, maxChars: 1_000_000 };
  const found: unknown[] = [];
  for (let cursor: string | undefined, more = true; more;) {
    const bytes = must(await world.audit(world.log, limits).trace(traceId, world.now(), cursor));
    const page = JSON.parse(String(bytes));
    found.push(...page.calls.map((call: { damaged?: true }) => call.damaged ?? 'whole'));
    cursor = page.next;
    more = cursor !== undefined;
  }
  assert.deepEqual(found, ['whole']);
});
