import assert from 'node:assert/strict';
import type { RecordedEvent } from '../event-log/port.js';
import { commitmentTo } from '../kernel/digest.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { sealPayload } from '../payloads/payload.js';
import {
  ALLOW_PURPOSE,
  DEFINITION,
  SERVER,
  damaged,
  forged,
  makeWorld,
  newer,
  replayOf,
  tampered,
  traceOf,
  withEvents,
} from '../../test/support/audit-world.js';
import { withEngines } from '../../test/support/other-engines.js';
import { decisionDigest } from '../decision/record.js';
import type { EventLog } from '../event-log/port.js';
import { attemptsOf } from './attempts.js';
import { Reconstructor } from './reconstruct.js';
import { replayed } from './replay.js';
import { test } from '../../test/support/testing.js';

test('the digest of a record is that of the stored text, whatever an upcaster makes of it', async (t) => {
  const world = await makeWorld(t);
  const { taskId } = await world.open();
  await world.authorize(taskId);
  const [attempt = assert.fail()] = attemptsOf(await world.log.read(`calls-${taskId}`)).attempts;
  const upcast = { ...attempt, decided: { ...attempt.decided, checks: [] } };
  const { recorded } = await replayed(new Reconstructor(world.log, world.engines), upcast);
  assert.equal(recorded.digest, decisionDigest(attempt.decided));
});

const isDecision = ({ type }: RecordedEvent) => type === 'CallDecided';

test('every call is decided again under the rules of then', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open({
    scope: [
      { capability: 'notes', operations: ['read'], maxCalls: 2 },
      { capability: 'notes', operations: ['write'] },
    ],
  });
  const reasons: string[] = [];
  const call = async (more = {}) => reasons.push((await world.authorize(taskId, more)).reason);
  await call();
  await call({ operation: 'write' });
  await call({ arguments: { key: 7 } });
  const stop = await world.issue({ type: 'all' });
  await call();
  await world.lift(stop);
  await world.putPolicy(ALLOW_PURPOSE);
  await call({ operation: 'write' });
  await call({ context: [{ id: '1', source: 'mail', content: 'hello' }] });
  await call();
  await world.suspend('notes');
  await call();
  assert.deepEqual(reasons, [
    'ok',
    'outside_user_authority',
    'arguments_invalid',
    'disabled',
    'ok',
    'ok',
    'outside_task_scope',
    'version_suspended',
  ]);

  const { identical, calls } = await replayOf(world, traceId);
  assert.equal(identical, true);
  assert.deepEqual(
    calls.map(({ redecided }) => redecided.reason),
    reasons,
  );
  for (const { recorded, redecided, identical: same } of calls) {
    assert.equal(same, true);
    assert.deepEqual(redecided, recorded);
  }
  const evidence = (await traceOf(world, traceId))?.calls ?? [];
  const versions = evidence.map(({ scopeCheck }) => scopeCheck.user?.['policyVersion']);
  assert.deepEqual(versions, [1, 1, 1, undefined, 2, 2, undefined, undefined]);
});

test('a view that stayed behind denies outside of the checks, and does so again', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  world.log.failNext('refused', 'refused', 'refused');
  assert.equal((await world.authorize(taskId)).reason, 'view_stale');
  assert.equal((await replayOf(world, traceId)).identical, true);
});

test('shredded: what needs no content is decided again, and the rest is said to be missing', async (t) => {
  const world = await makeWorld(t);
  const resource = 'resource:notes://public';
  const operations = ['read', 'write', resource];
  const { taskId, traceId } = await world.open({ scope: [{ capability: 'notes', operations }] });
  await world.authorize(taskId);
  await world.authorize(taskId, { operation: 'write' });
  await world.authorize(taskId, { arguments: { key: 7 } });
  await world.authorize(taskId, { operation: resource, arguments: { uri: 'notes://public' } });
  await world.authorize(taskId, { operation: resource, arguments: { uri: 'notes://private' } });
  await world.shred(taskId);
  const { identical, calls } = await replayOf(world, traceId);
  assert.equal(identical, true);
  assert.deepEqual(
    calls.map((call) => call.identical),
    Array.from({ length: 5 }, () => 'shredded'),
  );
  for (const { recorded, redecided } of calls) assert.deepEqual(redecided, recorded);

  const denial = withEvents(world.log, (event) =>
    isDecision(event) && event.revision === 1
      ? forged(event, (data) => ({ ...data, decision: 'deny', reason: 'disabled' }))
      : event,
  );
  const tamperedReplay = await replayOf(world, traceId, denial);
  assert.equal(tamperedReplay.identical, false);
  assert.equal(tamperedReplay.calls[0]?.identical, false);
});

test('a record is decided again by the rules of its decider', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const probe = { protocolVersion: '2026-07-28', clientCapabilities: {} };
  const { checks } = await world.authorize(taskId, { observed: { definition: DEFINITION, probe, server: SERVER } });
  const drifted = await world.authorize(taskId, {
    observed: { definition: { instructions: 'Other.' }, probe, server: SERVER },
  });
  assert.equal(drifted.reason, 'definition_drifted');
  // Decider 1 denied an equal definition under another probe, and named no members.
  const before = checks.slice(0, 4).map(({ check }) => check);
  const asDecider1 = (decider: number) =>
    withEvents(world.log, (event) =>
      !isDecision(event)
        ? event
        : forged(event, ({ rule: _rule, expiresAt: _expiresAt, ...data }) => {
            const { asked: _, ...observed } = data['observed'] as Record<string, unknown>;
            const { probe: __, ...evidence } = evidenceIn(drifted);
            const expected = evidence['expected'];
            const failed = event.revision === 1 ? { expected, observed: expected, probe: 'other' } : evidence;
            return {
              ...data,
              decision: 'deny',
              reason: 'definition_drifted',
              checks: [...before, ['definition', 'fail', failed]],
              observed,
              engines: { ...(data['engines'] as object), decider },
            };
          }),
    );
  assert.equal((await replayOf(world, traceId)).identical, true);
  const identical = async (decider: number) =>
    (await replayOf(world, traceId, asDecider1(decider))).calls.map((call) => call.identical);
  assert.deepEqual(await identical(1), [true, true]);
  assert.deepEqual(await identical(2), [false, true]);
});

test('for records of decider 1 a policy sees no null, and multiples are those of doubles', async (t) => {
  const world = await makeWorld(t);
  await world.putPolicy(`@id("seen") permit(principal, action, resource)
    when { context.arguments has seen || (context.arguments has list && context.arguments.list.contains({})) };
    @id("team") permit(principal, action, resource) when { principal has lead };`);
  const { taskId, traceId } = await world.open();
  const lead = await world.open({ user: { id: 'ann', roles: [], attributes: { lead: null } } }, 'host-1', traceId);
  const { errors: _, ...schema } = evidenceIn(await world.authorize(taskId, { arguments: { key: 7, seen: 1 } }));
  const authority = { set: 'default', policyVersion: 2, determining: [] };
  const errors = [{ path: '/share', keyword: 'multipleOf' }];
  // Decider 2 allows each of them.
  const denied = new Map<string, [reason: string, check: string, evidence: unknown]>();
  for (const [task, args, ...made] of [
    [taskId, { key: 'a', seen: null }, 'outside_user_authority', 'user_authority', authority],
    [taskId, { key: 'a', list: [null] }, 'outside_user_authority', 'user_authority', authority],
    [lead.taskId, { key: 'a' }, 'outside_user_authority', 'user_authority', authority],
    [taskId, { key: 'a', seen: 1, share: 0.07 }, 'arguments_invalid', 'arguments', { ...schema, errors }],
  ] as const) {
    const { callId, reason } = await world.authorize(task, { arguments: args });
    assert.equal(reason, 'ok');
    denied.set(callId, [...made]);
  }
  const asDecider = (decider: number) =>
    withEvents(world.log, (event) => {
      if (!isDecision(event)) return event;
      return forged(event, ({ rule: _rule, expiresAt: _expiresAt, ...data }) => {
        const [reason, check, evidence] = denied.get(data['callId'] as string) ?? [];
        if (reason === undefined) return { ...data, engines: { ...(data['engines'] as object), decider } };
        const checks = data['checks'] as string[];
        const before = checks.slice(0, checks.indexOf(check ?? ''));
        const engines = { ...(data['engines'] as object), decider };
        return { ...data, decision: 'deny', reason, checks: [...before, [check, 'fail', evidence]], engines };
      });
    });
  const identical = async (log?: EventLog) =>
    (await replayOf(world, traceId, log)).calls.map((call) => call.identical).sort();
  assert.deepEqual(await identical(), [true, true, true, true, true]);
  assert.deepEqual(await identical(asDecider(1)), [true, true, true, true, true]);
  assert.deepEqual(await identical(asDecider(2)), [false, false, false, false, true]);
});

test('for records of decider 1 a shredded denial by its arguments agrees with what is recorded', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId, { arguments: { key: 7 } });
  await world.shred(taskId);
  const log = withEngines(world.log, { decider: 1 });
  assert.deepEqual((await replayOf(world, traceId, log)).calls[0]?.identical, 'shredded');
});

/** The evidence of the check that failed. */
const evidenceIn = ({ checks }: { checks: readonly { evidence?: Readonly<Record<string, unknown>> | undefined }[] }) =>
  checks.at(-1)?.evidence ?? {};

test('a deny that was made an allow does not come out as one', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId, { operation: 'write' });
  const log = withEvents(world.log, (event) =>
    isDecision(event) ? forged(event, ({ ...data }) => ({ ...data, decision: 'allow', reason: 'ok' })) : event,
  );
  const { identical, calls } = await replayOf(world, traceId, log);
  assert.equal(identical, false);
  assert.deepEqual([calls[0]?.recorded.decision, calls[0]?.redecided.decision], ['allow', 'deny']);
  assert.equal(calls[0]?.identical, false);
});

test('an edited payload is not what was decided on, and is not shown', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { callId } = await world.authorize(taskId);
  await world.respond(taskId, callId);
  const key = (await world.keys.get(taskId)) ?? assert.fail();
  const place = { stream: `calls-${taskId}`, revision: 1 };
  // The holder of the key can write a record that opens, with other arguments that would also be allowed.
  const other = sealPayload(key, payloadPlace(place), { arguments: { key: 'something else' } });
  const log = tampered(world.log, {
    payload: async (stream, revision) =>
      stream === place.stream && revision === 1 ? other.bytes : world.log.payload(stream, revision),
  });
  const { identical, calls } = await replayOf(world, traceId, log);
  assert.equal(identical, false);
  assert.equal(calls[0]?.identical, false);
  const evidence = (await traceOf(world, traceId, log))?.calls[0];
  assert.equal(evidence?.outbound, 'damaged');
  assert.notEqual(evidence?.response, 'damaged');
  assert.equal(evidence?.registry?.version, '1.0.0');
});

test('a missing payload is no shredded one', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const log = tampered(world.log, { payload: async () => undefined });
  assert.equal((await replayOf(world, traceId, log)).calls[0]?.identical, false);
});

test('an event that was made to commit to nothing, with nothing there, is not identical', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const uncommitted = withEvents(world.log, (event) =>
    isDecision(event) ? forged(event, (data) => ({ ...data, commitments: {} })) : event,
  );
  const log = tampered(uncommitted, {
    payload: async (stream, revision) =>
      stream.startsWith('calls-') ? undefined : world.log.payload(stream, revision),
  });
  assert.equal((await replayOf(world, traceId, log)).calls[0]?.identical, false);
});

test('an edited purpose is found, also where it changes nothing', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const key = (await world.keys.get(taskId)) ?? assert.fail();
  const place = { stream: `task-${taskId}`, revision: 1 };
  const other = sealPayload(key, payloadPlace(place), { purpose: 'another', attributes: { team: 'blue' } });
  const log = tampered(world.log, {
    payload: async (stream, revision) => (stream === place.stream ? other.bytes : world.log.payload(stream, revision)),
  });
  assert.equal((await replayOf(world, traceId, log)).identical, false);
  assert.equal((await traceOf(world, traceId, log))?.tasks[0]?.purpose, 'damaged');
});

test('commitments are computed from the record: an event that commits to something else differs', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const log = withEvents(world.log, (event) =>
    isDecision(event)
      ? forged(event, (data) => ({ ...data, commitments: { arguments: commitmentTo(Buffer.alloc(32), '{}') } }))
      : event,
  );
  assert.equal((await replayOf(world, traceId, log)).identical, false);
});

test('a damaged bit, a dropped event and an unreadable decision each make a trace not identical', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const { callId } = await world.authorize(taskId);
  await world.succeed(taskId, callId);
  await world.authorize(taskId);
  assert.equal((await replayOf(world, traceId)).identical, true);

  const edits: Record<string, (event: RecordedEvent) => RecordedEvent | undefined> = {
    // The flipped bit is in a field that no decision digest covers.
    'flipped bit': (event) => (isDecision(event) ? damaged(event, '"agent":"', '"agent":"9') : event),
    'dropped outcome': (event) => (event.type === 'OutcomeRecorded' ? undefined : event),
    'no basis': (event) => (isDecision(event) ? forged(event, (data) => ({ ...data, basis: [] })) : event),
  };
  for (const [name, edit] of Object.entries(edits)) {
    const result = await replayOf(world, traceId, withEvents(world.log, edit));
    assert.equal(result.identical, false, name);
    assert.equal(result.calls.length, 2, name);
    const isDropped = name === 'dropped outcome';
    assert.deepEqual(
      [result.calls[0]?.identical, result.calls[0]?.damaged],
      [isDropped ? true : undefined, true],
      name,
    );
  }
});

test('a basis that the log does not reach, or that names other revisions, is no basis', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.issue({ type: 'effect', effect: 'deploy' });
  await world.authorize(taskId);
  const cut = withEvents(world.log, (event) => (event.stream === 'directives' ? undefined : event));
  const lost = await replayOf(world, traceId, cut);
  assert.equal(lost.identical, false);
  assert.equal(lost.calls[0]?.redecided.reason, 'internal_error');

  const rebased = (basis: (old: Record<string, number>) => Record<string, number>) =>
    withEvents(world.log, (event) =>
      isDecision(event)
        ? forged(event, (data) => ({ ...data, basis: basis(data['basis'] as Record<string, number>) }))
        : event,
    );
  // The basis lies before the version was approved, and before there was a policy.
  const early = await replayOf(
    world,
    traceId,
    rebased((old) => ({ ...old, 'capability-notes': 2 })),
  );
  assert.deepEqual([early.identical, early.calls[0]?.redecided.reason], [false, 'version_pending']);
  const more = await replayOf(
    world,
    traceId,
    rebased((old) => ({ ...old, 'principal-operator': 1 })),
  );
  assert.deepEqual([more.identical, more.calls[0]?.redecided.reason], [false, 'ok']);
  const less = await replayOf(
    world,
    traceId,
    rebased(({ directives: _, ...old }) => old),
  );
  assert.equal(less.identical, false);
});

test('a policy that is gone from the store is damage', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  const { identical, calls } = await replayOf(world, traceId, tampered(world.log, { blob: async () => undefined }));
  assert.deepEqual([identical, calls[0]?.redecided.reason], [false, 'internal_error']);
});

test('an event that a newer version wrote makes no replay identical', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  await world.authorize(taskId);
  assert.equal((await replayOf(world, traceId)).identical, true);
  for (const type of [
    'CallDecided',
    'TaskOpened',
    'TaskJoined',
    'VersionReviewed',
    'PolicyReviewed',
    'PrincipalAdded',
  ]) {
    const log = withEvents(world.log, (event) => (event.type === type ? newer(event) : event));
    assert.equal((await replayOf(world, traceId, log)).identical, false, type);
  }
});
