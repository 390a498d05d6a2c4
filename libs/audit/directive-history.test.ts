import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { at, uuid } from '../../test/support/given.js';
import { damaged, forged, withEvents } from '../../test/support/audit-world.js';
import { directiveDecider, type DirectiveCommand, type DirectiveEvent } from '../directive/decider.js';
import { targetKey, type Target } from '../directive/target.js';
import { parseEvent, sealEvent } from '../event-log/event.js';
import { MemoryLog } from '../event-log/memory/memory-log.js';
import type { EventLog, RecordedEvent } from '../event-log/port.js';
import { DirectiveHistory } from './directive-history.js';
import { Damage } from './soundness.js';
import { test } from '../../test/support/testing.js';

/** Targets, and the subject of a directive against each. */
const SUBJECTS: readonly [Target, string][] = [
  [{ type: 'all' }, 'all'],
  [{ type: 'capability', capability: 'a' }, 'capability:a'],
  [{ type: 'version', capability: 'a', version: '1' }, 'capability:a'],
  [{ type: 'operation', capability: 'a', operation: 'read' }, 'capability:a'],
  [{ type: 'capability', capability: 'b' }, 'capability:b'],
  [{ type: 'host', host: 'a' }, 'host:a'],
];
const TARGETS = SUBJECTS.map(([target]) => target);
const subjectOf = (target: Target): string | undefined =>
  SUBJECTS.find(([each]) => targetKey(each) === targetKey(target))?.[1];
const TRACES = ['1'.repeat(32), '2'.repeat(32), undefined];

/** A log of directives, and the same folded by the decider. */
function issuing() {
  const log = new MemoryLog();
  const state = directiveDecider.initialState();
  async function run(command: DirectiveCommand, traceId?: string): Promise<void> {
    const decided = directiveDecider.decide(command, state);
    assert.ok(decided.ok);
    for (const { type, data, time, actor } of decided.value) {
      const revision = state.epoch + 1;
      const traced = traceId === undefined ? {} : { traceId };
      const event = sealEvent({ stream: 'directives', revision, type, schemaVersion: 1, time, actor, data, ...traced });
      const writes = [{ stream: 'directives', expected: state.epoch, events: [event] }];
      assert.equal((await log.append({ writes, checks: [] })).kind, 'committed');
      directiveDecider.evolve(state, { type, data, time, actor } as DirectiveEvent);
    }
  }
  const by = () => ({ actor: 'otto', time: at(state.epoch), reason: 'r' });
  return {
    log,
    state,
    issue: (target: Target, traceId?: string) =>
      run({ type: 'issue', id: uuid(state.epoch + 1), target, ...by() }, traceId),
    lift: (id: string, traceId?: string) => run({ type: 'lift', id, ...by() }, traceId),
  };
}

/** The state at an epoch, folded from the first event on. */
function foldedTo(events: readonly RecordedEvent[], epoch: number) {
  const state = directiveDecider.initialState();
  for (const { json } of events.slice(0, epoch)) directiveDecider.evolve(state, parseEvent(json) as never);
  return state;
}

/** The events about some subjects up to a position, found by examining every event. */
function scanned(events: readonly RecordedEvent[], subjects: ReadonlySet<string>, until: bigint): RecordedEvent[] {
  const ids = new Set<string>();
  return events.filter(({ json, position }) => {
    if (position > until) return false;
    const { type, data } = parseEvent(json) as unknown as DirectiveEvent;
    if (type === 'DirectiveIssued' && subjects.has(subjectOf(data.target) ?? '')) ids.add(data.id);
    return ids.has(data.id);
  });
}

const step = fc.oneof(
  fc.record({ target: fc.constantFrom(...TARGETS), traceId: fc.constantFrom(...TRACES) }),
  fc.record({ lift: fc.nat(), traceId: fc.constantFrom(...TRACES) }),
  fc.constant('refresh' as const),
);

test('is at every epoch what the events up to it fold to, however it was read', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.subarray([...new Set(SUBJECTS.map(([, subject]) => subject))]),
      async (steps, asked) => {
        const { log, state, issue, lift } = issuing();
        const history = new DirectiveHistory(log);
        for (const each of steps) {
          if (each === 'refresh') await history.refresh();
          else if ('target' in each) await issue(each.target, each.traceId);
          else {
            const open = [...state.active.values()].flat();
            const found = open[each.lift % Math.max(1, open.length)];
            if (found !== undefined) await lift(found.id, each.traceId);
          }
        }
        await history.refresh();
        const events = await log.read('directives');
        const subjects = new Set(asked);
        for (let epoch = 0; epoch <= state.epoch; epoch += 1) {
          const then = foldedTo(events, epoch);
          const standing = history.asOf(epoch);
          assert.equal(standing.epoch, epoch);
          for (const key of TARGETS.map(targetKey)) {
            const ids = (list: readonly { id: string }[] = []) => list.map(({ id }) => id);
            assert.deepEqual(ids(standing.active.get(key)), ids(then.active.get(key)));
          }
          const until = events[epoch - 1]?.position ?? 0n;
          const told = await history.about(subjects, ({ position }) => position <= until);
          assert.deepEqual(told, scanned(events, subjects, until));
        }
        assert.throws(() => history.asOf(state.epoch + 1), Damage);
        for (const traceId of TRACES.slice(0, 2)) {
          assert.deepEqual(
            await history.ofTrace(traceId ?? ''),
            events.filter(({ json }) => parseEvent(json).traceId === traceId),
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('reads each event once, in pages, and later ones when they are there', async () => {
  const { log, issue } = issuing();
  const asked: [number, number][] = [];
  const counting = new Proxy(log, {
    get(target, name) {
      if (name !== 'read') return Reflect.get(target, name) as unknown;
      return async (stream: string, after = 0, limit?: number) => {
        const events = await target.read(stream, after, limit);
        asked.push([after, events.length]);
        return events;
      };
    },
  });
  for (let count = 0; count < 1_001; count += 1) await issue({ type: 'task', taskId: uuid(count) });
  const history = new DirectiveHistory(counting);
  await Promise.all([history.refresh(), history.refresh()]);
  const first = asked.splice(0).filter(([, events]) => events > 0);
  assert.deepEqual(first, [
    [0, 500],
    [500, 500],
    [1000, 1],
  ]);
  await issue({ type: 'all' });
  await history.refresh();
  assert.deepEqual(asked, [[1001, 1]]);
  assert.equal(history.asOf(1002).active.get('all')?.length, 1);
  assert.deepEqual(history.asOf(1001).active.get('all'), []);
});

test('believes what it has read for a minute, and then reads it anew', async () => {
  const { log, issue } = issuing();
  await issue({ type: 'all' });
  await issue({ type: 'host', host: 'a' });
  let isBroken = false;
  const edited: EventLog = withEvents(log, (event) =>
    isBroken && event.revision === 2 ? damaged(event, '"host":"a"', '"host":"b"') : event,
  );
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
  const history = new DirectiveHistory(edited, clock);
  await history.refresh();
  isBroken = true;
  clock.nowMs = 59_999;
  await history.refresh();
  const before = history.asOf(2);
  clock.nowMs = 60_000;
  await history.refresh();
  assert.throws(() => history.asOf(2), Damage);
  assert.equal(history.asOf(1).active.get('all')?.length, 1);
  assert.equal(before.active.get('host:a')?.length, 1, 'who rests on it may finish');
});

test('rests on nothing from a damaged event on, shows what can be read behind it, and heals', async () => {
  const { log, issue, lift } = issuing();
  await issue({ type: 'all' });
  await issue({ type: 'capability', capability: 'a' });
  await lift(uuid(1));
  let isBroken = true;
  const broken: EventLog = withEvents(log, (event) =>
    isBroken && event.revision === 2 ? damaged(event, '"capability":"a"', '"capability":"b"') : event,
  );
  const history = new DirectiveHistory(broken);
  await history.refresh();
  assert.equal(history.asOf(1).active.get('all')?.length, 1);
  assert.throws(() => history.asOf(2), Damage);
  const everything = () => history.about(new Set(['all', 'capability:a', 'capability:b']), () => true);
  assert.deepEqual(
    (await everything()).map(({ revision }) => revision),
    [1, 2, 3],
  );
  isBroken = false;
  await history.refresh();
  assert.equal(history.asOf(2).active.get('capability:a')?.length, 1);
  assert.deepEqual(history.asOf(3).active.get('all'), []);
  assert.deepEqual((await everything()).map(({ revision }) => revision).sort(), [1, 2, 3]);
});

const NONSENSE: Record<string, (data: Record<string, unknown>) => Record<string, unknown>> = {
  'a target of no kind': (data) => ({ ...data, target: { type: 'nobody' } }),
  'no target': ({ target: _, ...data }) => data,
  'an id that is taken': (data) => ({ ...data, id: uuid(1) }),
};
for (const [what, change] of Object.entries(NONSENSE)) {
  test(`an event with ${what} is damage from there on, and no failure, however well it is sealed`, async () => {
    const { log, issue } = issuing();
    for (let count = 0; count < 3; count += 1) await issue({ type: 'all' });
    const edited = withEvents(log, (event) => (event.revision === 2 ? forged(event, change) : event));
    const history = new DirectiveHistory(edited);
    for (let times = 0; times < 2; times += 1) {
      await history.refresh();
      assert.equal(history.asOf(1).active.get('all')?.length, 1);
      assert.throws(() => history.asOf(2), Damage);
      const shown = await history.about(new Set(['all']), () => true);
      assert.deepEqual(
        shown.map(({ revision }) => revision).filter((revision) => revision !== 2),
        [1, 3],
      );
    }
  });
}

test('what one request has shown is not read for it again', async () => {
  const { log, issue } = issuing();
  for (let count = 0; count < 300; count += 1)
    await issue(count % 150 === 0 ? { type: 'all' } : { type: 'host', host: 'a' });
  const history = new DirectiveHistory(log);
  await history.refresh();
  let reads = 0;
  const { read } = log;
  log.read = (...asked) => ((reads += 1), read.apply(log, asked));
  const shown = new Map<number, RecordedEvent>();
  const about = async (subject: string) => (await history.about(new Set([subject]), () => true, shown)).length;
  assert.deepEqual([await about('all'), reads], [2, 2]);
  assert.deepEqual([await about('all'), reads], [2, 2]);
  assert.deepEqual([await about('host:a'), reads], [298, 3]);
});
