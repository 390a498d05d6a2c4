import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  damaged,
  forged,
  makeWorld,
  must,
  replayOf,
  tampered,
  traceOf,
  withEvents,
  type World,
} from '../../test/support/audit-world.js';
import { withEngines } from '../../test/support/other-engines.js';
import { DecisionEngines } from '../decision-point/engines.js';
import type { EventLog, RecordedEvent } from '../event-log/port.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { PolicyEngine } from '../policy/cedar.js';
import { DirectiveHistory } from './directive-history.js';
import { TraceAudit } from './trace.js';
import { test } from '../../test/support/testing.js';

const GONE = 'engine_gone';

async function sameness(world: World, traceId: string, log: EventLog) {
  const replay = await replayOf(world, traceId, log);
  return [
    replay.identical,
    ...replay.calls.map(({ identical, damaged: isDamaged }) => identical ?? (isDamaged === true ? 'damaged' : '?')),
  ];
}

const isDecision = ({ type }: RecordedEvent) => type === 'CallDecided';
const edited = (log: EventLog, change: (data: Record<string, unknown>) => Record<string, unknown>) =>
  withEvents(log, (event) => (isDecision(event) ? forged(event, change) : event));

/** An allow, a deny by policy, a deny by a check before Cedar, and a call that belongs to no task. */
async function fourCalls(world: World) {
  const { taskId, traceId } = await world.open({ scope: [{ capability: 'notes', operations: ['read', 'write'] }] });
  await world.authorize(taskId);
  await world.authorize(taskId, { operation: 'write' });
  await world.authorize(taskId, { operation: 'none' });
  await world.authorize('00000000-0000-4000-8000-00000000dead', {}, 'host-1', `00-${traceId}-00f067aa0ba902b7-01`);
  await world.caughtUp();
  return { taskId, traceId };
}

test('records of an unknown decider, or of an unknown kind of engine, are gone and differ in nothing', async (t) => {
  const world = await makeWorld(t);
  const { traceId } = await fourCalls(world);
  const unknown: readonly JsonObject[] = [{ decider: 99 }, { packs: 'sha256:00' }];
  for (const engines of unknown) {
    const log = withEngines(world.log, engines);
    assert.deepEqual(await sameness(world, traceId, log), [GONE, GONE, GONE, GONE, GONE]);
    const { calls } = await replayOf(world, traceId, log);
    for (const { recorded, redecided } of calls) assert.deepEqual(redecided, recorded);
    const evidence = (await traceOf(world, traceId, log))?.calls ?? [];
    assert.deepEqual(
      evidence.map(({ engine, registry }) => [engine, registry?.capability]),
      evidence.map(() => [GONE, 'notes']),
    );
  }
});

test('a decider that never existed is a forgery, and so is a call in a stream where it does not belong', async (t) => {
  const world = await makeWorld(t);
  const { traceId } = await fourCalls(world);
  for (const decider of [0, -1])
    assert.deepEqual(await sameness(world, traceId, withEngines(world.log, { decider })), Array(5).fill(false));
  // No record has the form of this one.
  const halved = await sameness(world, traceId, withEngines(world.log, { decider: 1.5 }));
  assert.deepEqual(halved, [false, ...Array<string>(4).fill('damaged')]);
  const moved = edited(withEngines(world.log, { decider: 99 }), (data) => ({ ...data, taskId: randomUUID() }));
  assert.deepEqual(await sameness(world, traceId, moved), [false, false, false, false, GONE]);
});

test('a decider of later may rest on streams that this build does not know, and record other evidence', async (t) => {
  const world = await makeWorld(t);
  const { traceId } = await fourCalls(world);
  const log = edited(withEngines(world.log, { decider: 99 }), ({ checks, ...data }) => ({
    ...data,
    basis: { ...(data['basis'] as object), 'seasons-acme': 3 },
    checks: (checks as unknown[]).slice(0, 1),
  }));
  assert.deepEqual(await sameness(world, traceId, log), [GONE, GONE, GONE, GONE, GONE]);
  const [allowed] = (await traceOf(world, traceId, log))?.calls ?? [];
  assert.equal(allowed?.engine, GONE);
  assert.notEqual(allowed?.outbound, 'damaged');
});

test('where Cedar alone is gone, all else is decided again; what never asked it is identical', async (t) => {
  const world = await makeWorld(t);
  const { traceId } = await fourCalls(world);
  const gone = withEngines(world.log, { cedar: '4.0.0' });
  assert.deepEqual(await sameness(world, traceId, gone), [GONE, GONE, GONE, true, true]);
  const evidence = (await traceOf(world, traceId, gone))?.calls ?? [];
  assert.deepEqual(
    evidence.map(({ engine }) => engine),
    [GONE, GONE, undefined, undefined],
  );
  assert.deepEqual(evidence[0]?.scopeCheck.user, { set: 'default', policyVersion: 1, determining: ['reading'] });
  const allowed = edited(gone, (data) => ({ ...data, reason: 'ok', decision: 'allow' }));
  assert.deepEqual(await sameness(world, traceId, allowed), [false, GONE, false, false, true]);
});

test('a gone engine hides no damage, and no content that was shredded', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  for (const engines of [{ decider: 99 }, { cedar: '4.0.0' }]) {
    const log = withEngines(world.log, engines);
    const flipped = withEvents(log, (event) => (isDecision(event) ? damaged(event, '"agent":"', '"agent":"9') : event));
    assert.deepEqual(await sameness(world, traceId, flipped), [false, 'damaged']);
    const without = tampered(log, { payload: async () => undefined });
    assert.deepEqual(await sameness(world, traceId, without), [false, false]);
  }
  await world.shred(taskId);
  const shredded = withEngines(world.log, { cedar: '4.0.0' });
  assert.deepEqual(await sameness(world, traceId, shredded), [true, 'shredded']);
  assert.deepEqual(await sameness(world, traceId, withEngines(world.log, { decider: 99 })), [GONE, GONE]);
});

test('a record of an earlier Cedar is decided again by that Cedar, if this build has it', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const log = withEngines(world.log, { cedar: '4.0.0' });
  const sameBy = async (answer: 'allow' | 'deny') => {
    const earlier = Object.assign(new PolicyEngine(), { version: '4.0.0' });
    earlier.ask = () => ({ outcome: answer, determining: ['reading'] });
    const engines = new DecisionEngines(log, [earlier]);
    const audit = new TraceAudit(log, world.keys, engines, world.index, new DirectiveHistory(log));
    return must(await audit.replay(traceId))?.identical;
  };
  assert.deepEqual([await sameBy('allow'), await sameBy('deny')], [true, false]);
});
