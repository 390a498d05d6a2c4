import assert from 'node:assert/strict';
import { EventsQuery } from '../contract/audit.js';
import { positionCursor } from './cursor.js';
import { committed, write } from '../../test/contracts/facts.js';
import { families } from '../streams/catalogue.js';
import { writeOf } from '../streams/facts.js';
import { makeWorld, must, tampered, type World } from '../../test/support/audit-world.js';
import { test } from '../../test/support/testing.js';

/** Each event type with its family. */
const KNOWN_TYPES = Object.values(families).flatMap((family) =>
  Object.keys(family.types).map((type) => [type, family] as const),
);

async function all(world: World, query: object): Promise<{ types: string[]; pages: number }> {
  const types: string[] = [];
  let after: bigint | undefined;
  for (let pages = 1; ; pages += 1) {
    const place =
      after === undefined ? {} : pages % 2 === 0 ? { after: String(after) } : { cursor: positionCursor(after) };
    const page = must(await world.events({ ...query, ...place }));
    types.push(...page.events.map(({ type }) => type));
    if (page.next === undefined) return { types, pages };
    assert.ok(page.next > (after ?? 0n));
    after = page.next;
  }
}

test('reads the log in its order, page by page, each event once', async (t) => {
  const world = await makeWorld(t);
  const { taskId } = await world.open();
  await world.authorize(taskId);
  const whole = await all(world, { limit: '1000' });
  assert.deepEqual(whole.types.slice(-3), ['TaskOpened', 'TaskJoined', 'CallDecided']);
  for (const limit of ['1', '2', '3']) assert.deepEqual((await all(world, { limit })).types, whole.types, limit);
  const [last] = must(await world.events({ types: 'CallDecided' })).events;
  assert.deepEqual([last?.position, last?.stream, last?.revision], [await world.log.end(), `calls-${taskId}`, 1]);
});

test('what a relay notes for itself is no evidence', async (t) => {
  const world = await makeWorld(t);
  await committed(world.log, write('relay-events', 0, { holder: 'h', position: '1' }));
  assert.ok(!(await all(world, { limit: '1000' })).types.includes('Happened'));
});

test('filters by type and by the capability that an event names', async (t) => {
  const world = await makeWorld(t);
  await world.register('mail');
  const { taskId } = await world.open();
  await world.authorize(taskId);
  await world.lift(await world.issue({ type: 'operation', capability: 'notes', operation: 'read' }));
  await world.lift(await world.issue({ type: 'capability', capability: 'mail' }));
  assert.deepEqual((await all(world, { types: 'TaskOpened,DirectiveLifted' })).types, [
    'TaskOpened',
    'DirectiveLifted',
    'DirectiveLifted',
  ]);
  assert.deepEqual((await all(world, { capability: 'notes' })).types, [
    'CapabilityRegistered',
    'VersionProposed',
    'VersionReviewed',
    'TaskOpened',
    'CallDecided',
    'DirectiveIssued',
    'DirectiveLifted',
  ]);
  assert.deepEqual((await all(world, { capability: 'mail', types: 'DirectiveIssued' })).types, ['DirectiveIssued']);
  const unknown = await world.events({ types: 'TaskOpened,NoSuchType' });
  assert.equal(unknown.ok ? 'taken' : unknown.error.code, 'malformed_request');
});

test('a query for types reads the streams that can hold them, and no others', async (t) => {
  const world = await makeWorld(t);
  const { taskId } = await world.open();
  for (let call = 0; call < 5; call += 1) await world.authorize(taskId);
  const { taskId: closed } = await world.open();
  await world.authorize(closed);
  const fact = { type: 'InstanceSeen', data: { instanceId: taskId }, actor: 'host-1', time: world.now() };
  await committed(world.log, writeOf(families.instances.stream('host-1'), 0, [fact]));
  for (const [type, family] of KNOWN_TYPES) {
    const read: string[] = [];
    const watched = tampered(world.log, {
      readAll: async (options) => {
        const page = await world.log.readAll(options);
        read.push(...page.map(({ stream }) => stream));
        return page;
      },
    });
    await world.events({ types: type }, watched);
    assert.deepEqual(
      [...new Set(read)].filter((stream) => !family.has(stream)),
      [],
      type,
    );
    if (type === 'HostStale') assert.equal(read.length, 1);
  }
});

test('a page that found nothing still moves on, and looks at a bounded number of events', async (t) => {
  const world = await makeWorld(t);
  const [event] = await world.log.readAll({ after: 0n, limit: 1 });
  assert.ok(event);
  // This log never ends.
  let reads = 0;
  const endless = tampered(world.log, {
    readAll: async ({ after }) => {
      reads += 1;
      return Array.from({ length: 500 }, (_, index) => ({ ...event, position: after + BigInt(index + 1) }));
    },
  });
  const { events, next } = must(await world.events({ types: 'HostStale' }, endless));
  assert.deepEqual([events.length, next, reads], [0, 5000n, 10]);
});

test('refuses what is no query', () => {
  for (const query of [
    { after: '-1' },
    { after: 'x' },
    { after: '9'.repeat(19) },
    { types: 'a,,b' },
    { limit: '0' },
    { format: 'ecs' },
    { capability: '../x' },
  ]) {
    assert.equal(EventsQuery.safeParse(query).success, false, JSON.stringify(query));
  }
});
