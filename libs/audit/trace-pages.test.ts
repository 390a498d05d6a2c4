import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import type { TraceEvidence, TraceReplay } from '../contract/audit.js';
import { DEFINITION, makeWorld, must, SERVER, traceOf, type World } from '../../test/support/audit-world.js';
import { test } from '../../test/support/testing.js';
import type { TraceLimits } from './trace.js';

/** A trace with tasks of which some run at the same time, refusals, a drift, repeats, responses and outcomes. */
async function busyTrace(world: World): Promise<string> {
  await world.register('mail');
  const { taskId: first, traceId } = await world.open();
  const scope = [{ capability: 'mail', effects: ['read' as const], maxCalls: 5 }];
  const { taskId: second } = await world.open({ scope }, 'host-1', traceId);
  const traceparent = `00-${traceId}-0123456789abcdef-01`;
  for (let round = 0; round < 4; round += 1) {
    const { callId } = await world.authorize(first);
    await world.authorize(second, { capability: 'mail' });
    await world.respond(first, callId);
    await world.authorize(randomUUID(), {}, 'host-1', traceparent);
    await world.succeed(first, callId);
  }
  await world.lift(await world.issue({ type: 'capability', capability: 'notes' }));
  const third = await world.open({}, 'host-1', traceId);
  const definition = { ...DEFINITION, instructions: 'Sends notes to me.' };
  await world.authorize(first, { observed: { definition, server: SERVER } });
  await world.authorize(third.taskId);
  must(await world.tasks.close(first, { name: 'host-1' }, undefined));
  await world.authorize(second, { capability: 'mail' });
  await world.caughtUp();
  return traceId;
}

async function pagesOf<Page extends { readonly next?: string | undefined }>(
  read: (cursor: string | undefined) => Promise<Page>,
): Promise<Page[]> {
  const pages: Page[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await read(cursor);
    pages.push(page);
    if (page.next === undefined) return pages;
    cursor = page.next;
  }
}

function joined(pages: readonly TraceEvidence[]): object {
  const histories = new Map<string, Map<string, object>>();
  for (const page of pages) {
    for (const [capability, events] of Object.entries(page.histories)) {
      const all = histories.get(capability) ?? new Map<string, object>();
      histories.set(capability, all);
      for (const event of events) all.set(event.position + event.stream + event.revision, event);
    }
  }
  return {
    tasks: pages.flatMap(({ tasks }) => tasks),
    calls: pages.flatMap(({ calls }) => calls),
    events: pages.flatMap(({ events }) => events),
    histories: Object.fromEntries([...histories].map(([name, events]) => [name, new Set(events.values())])),
  };
}

test('all pages of a trace together are its one answer, however small they are', async (t) => {
  const world = await makeWorld(t);
  const traceId = await busyTrace(world);
  const now = world.now();
  const whole = (await traceOf(world, traceId)) ?? assert.fail();
  assert.deepEqual([whole.tasks.length, whole.calls.length, whole.next], [3, 15, undefined]);
  const replay = must(await world.audit().replay(traceId)) ?? assert.fail();
  assert.equal(replay.identical, true);
  const read = async (limits: TraceLimits, cursor?: string) => {
    const bytes = must(await world.audit(world.log, limits).trace(traceId, now, cursor));
    return JSON.parse(String(bytes ?? assert.fail())) as TraceEvidence;
  };
  const limits = fc.record({
    maxCalls: fc.integer({ min: 1, max: 20 }),
    maxEvents: fc.integer({ min: 1, max: 60 }),
    maxChars: fc.constantFrom(1, 5_000, 20_000, 1e9),
  });
  await fc.assert(
    fc.asyncProperty(limits, async (bounds) => {
      const pages = await pagesOf((cursor) => read(bounds, cursor));
      const one = joined([whole]) as { tasks: { status: string }[] };
      assert.deepEqual(joined(pages), one);
      if (bounds.maxCalls === 1) assert.ok(pages.length > 5);
      const replays = await pagesOf<TraceReplay>(async (cursor) => {
        return must(await world.audit(world.log, bounds).replay(traceId, cursor)) ?? assert.fail();
      });
      assert.deepEqual(
        replays.flatMap(({ calls }) => calls),
        replay.calls,
      );
    }),
    { numRuns: 25 },
  );
});

test('events that arrive between two pages are on later pages, and no page repeats one', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  for (let call = 0; call < 3; call += 1) await world.authorize(taskId);
  const limits = { maxCalls: 2, maxEvents: 100, maxChars: 1e9 };
  let arrived = 0;
  const pages = await pagesOf(async (cursor) => {
    if (arrived < 4) {
      arrived += 1;
      await world.authorize(taskId);
    }
    const bytes = must(await world.audit(world.log, limits).trace(traceId, world.now(), cursor));
    return JSON.parse(String(bytes ?? assert.fail())) as TraceEvidence;
  });
  const positions = pages.flatMap(({ calls }) => calls.map(({ position }) => position));
  assert.ok(pages.length > 1);
  assert.deepEqual([positions.length, new Set(positions).size], [3 + arrived, 3 + arrived]);
});

test('what is no cursor of this list is refused, and a place after the end is an empty page', async (t) => {
  const world = await makeWorld(t);
  const { traceId } = await world.open();
  const refused = await world.audit().trace(traceId, world.now(), 'nonsense');
  assert.equal(refused.ok ? 'taken' : refused.error.code, 'malformed_request');
  const end = Buffer.from(`p${await world.log.end()}`).toString('base64url');
  const bytes = must(await world.audit().trace(traceId, world.now(), end));
  assert.deepEqual((JSON.parse(String(bytes)) as TraceEvidence).events, []);
});
