import assert from 'node:assert/strict';
import type { CallSummary } from '../contract/evidence.js';
import { CallQuery } from '../contract/audit.js';
import { makeWorld, must, tampered, type World, traceOf } from '../../test/support/audit-world.js';
import { test } from '../../test/support/testing.js';

async function find(world: World, query: object, limit?: number, cursor?: string) {
  assert.equal(await world.caughtUp(), true);
  const page = must(await world.calls().find(CallQuery.parse(query), limit, cursor));
  return { ...page, items: page.items as CallSummary[] };
}

test('lists evidence without content or history, and without the key', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { callId } = await world.authorize(taskId);
  await world.respond(taskId, callId);
  await world.succeed(taskId, callId);
  await world.authorize(taskId, { operation: 'write' });
  const whole = (await traceOf(world, traceId))?.calls ?? [];
  await world.shred(taskId);

  const { items } = await find(world, { task: taskId });
  assert.equal(JSON.stringify(items).includes('a secret'), false);
  const [deny, allow] = items;
  const { capabilityHistory: _, response, outbound: __, outcome, ...facts } = whole[0] ?? assert.fail();
  assert.deepEqual(outcome?.effect, { type: 'read', reference: 'note-7' });
  const {
    raw: _raw,
    validated: _validated,
    sourceLabel: _label,
    ...judged
  } = response as Exclude<typeof response, string | null>;
  assert.deepEqual(allow, {
    ...facts,
    purpose: 'shredded',
    outbound: { redactions: [], refusals: [] },
    response: judged,
    outcome: { ...outcome, effect: { type: 'read' } },
  });
  assert.deepEqual([deny?.reason, deny?.outbound, deny?.response], ['outside_task_scope', null, null]);
});

test('asks by capability, version, task, identity and review status', async (t) => {
  const world = await makeWorld(t);
  await world.register('mail');
  const scope = [
    { capability: 'notes', effects: ['read' as const] },
    { capability: 'mail', effects: ['read' as const] },
  ];
  const { taskId } = await world.open({ scope });
  await world.authorize(taskId);
  await world.authorize(taskId, { capability: 'mail' });
  await world.authorize(taskId, { capability: 'unheard-of' });
  const of = async (query: object) => (await find(world, query)).items.map(({ capability }) => capability);
  assert.deepEqual(await of({}), ['unheard-of', 'mail', 'notes']);
  assert.deepEqual(await of({ capability: 'mail' }), ['mail']);
  assert.deepEqual(await of({ version: '1.0.0' }), ['mail', 'notes']);
  assert.deepEqual(await of({ identity: 'ann', decision: 'allow' }), ['mail', 'notes']);
  assert.deepEqual(await of({ identity: 'bob' }), []);
  assert.deepEqual(await of({ reviewStatus: 'approved' }), ['mail', 'notes']);
  assert.deepEqual(await of({ reviewStatus: 'suspended' }), []);
  // The call was allowed while the version was trusted. It is found after the version is suspended.
  await world.suspend('mail');
  assert.deepEqual(await of({ reviewStatus: 'suspended' }), ['mail']);
  assert.deepEqual(await of({ reviewStatus: 'approved' }), ['notes']);
});

test('goes from page to page', async (t) => {
  const world = await makeWorld(t);
  const { taskId } = await world.open();
  const sent: string[] = [];
  for (let call = 0; call < 5; call += 1) sent.push((await world.authorize(taskId)).callId);
  const first = await find(world, {}, 2);
  const second = await find(world, {}, 2, first.next);
  const third = await find(world, {}, 2, second.next);
  const pages = [first, second, third].flatMap(({ items }) => items.map(({ callId }) => callId));
  assert.deepEqual(pages, sent.reverse());
  assert.equal(third.next, undefined);
  const refused = await world.calls().find({}, 2, 'nonsense');
  assert.equal(refused.ok ? 'taken' : refused.error.code, 'malformed_request');
});

test('reads of a task only the events of the calls on the page', async (t) => {
  const world = await makeWorld(t);
  const { taskId } = await world.open();
  for (let call = 0; call < 4; call += 1) await world.authorize(taskId);
  assert.equal(await world.caughtUp(), true);
  const reads: (number | undefined)[][] = [];
  const log = tampered(world.log, {
    read: (stream, after, limit) => {
      if (stream === `calls-${taskId}`) reads.push([after, limit]);
      return world.log.read(stream, after, limit);
    },
  });
  assert.equal(must(await world.calls(log).find({}, 2)).items.length, 2);
  assert.deepEqual(reads, [[2, 2]]);
});
