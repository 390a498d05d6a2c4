import assert from 'node:assert/strict';
import { feedModel, type FeedModel } from '../../../test/support/feed-model.js';
import { uuid } from '../../../test/support/given.js';
import { digestOf } from '../../kernel/digest.js';
import type { Beat } from '../../feed/beat.js';
import { fromLog, isVoid, step, type Replica } from './replica.js';
import { test } from '../../../test/support/testing.js';

const category = (name: string) => ({ type: 'category', category: name }) as const;

/** The replica after these beats, none of which may be a fault. */
function after(...beats: readonly Beat[]): Replica {
  let replica: Replica | undefined;
  for (const beat of beats) {
    const stepped = step(replica, beat);
    assert.ok(stepped.ok);
    if (stepped.value.kind !== 'ignored') ({ replica } = stepped.value);
  }
  assert.ok(replica !== undefined);
  return replica;
}

const kindOf = (replica: Replica | undefined, beat: Beat): string => {
  const stepped = step(replica, beat);
  return stepped.ok ? stepped.value.kind : stepped.error;
};

const agrees = (replica: Replica, model: FeedModel) => {
  assert.equal(replica.epoch, model.epoch);
  assert.deepEqual(
    [...replica.active.keys()].sort(),
    model.active.map(({ id }) => id),
  );
};

test('a snapshot makes the state, directives move it by one epoch each', () => {
  const model = feedModel();
  assert.equal(kindOf(undefined, model.heartbeat()), 'ignored');
  const beats = [model.snapshot(), model.issue(uuid(1), category('a')), model.issue(uuid(2), { type: 'all' })];
  agrees(after(...beats), model);
  beats.push(model.lift(uuid(1)));
  agrees(after(...beats), model);
  agrees(after(model.snapshot()), model);
  assert.equal(kindOf(after(...beats), model.heartbeat()), 'same');
  assert.equal(kindOf(after(...beats), model.snapshot()), 'same');
});

test('an earlier epoch is ignored, also as a snapshot', () => {
  const model = feedModel();
  const beats = [model.snapshot(), model.heartbeat(), model.issue(uuid(1), category('a')), model.snapshot()];
  const replica = after(...beats, model.issue(uuid(2), category('b')));
  for (const beat of beats) assert.equal(kindOf(replica, beat), 'ignored');
});

test('an epoch that is missing is a fault, and a snapshot mends it', () => {
  const model = feedModel();
  const replica = after(model.snapshot());
  model.issue(uuid(1), category('a'));
  assert.equal(kindOf(replica, model.heartbeat()), 'epoch_gap', 'the directive itself has not come');
  assert.equal(kindOf(replica, model.issue(uuid(2), category('b'))), 'epoch_gap');
  assert.equal(kindOf(replica, model.snapshot()), 'applied');
});

test('a root that does not come out is a fault', () => {
  const model = feedModel();
  const replica = after(model.snapshot());
  const wrong = { stateRoot: digestOf('else') };
  const directive = model.issue(uuid(1), category('a'));
  const snapshot = model.snapshot();
  assert.equal(kindOf(replica, { ...directive, ...wrong }), 'root_mismatch');
  assert.equal(kindOf(replica, { ...snapshot, ...wrong }), 'root_mismatch');
  assert.equal(kindOf(replica, { ...snapshot, active: [] }), 'root_mismatch');
  assert.equal(
    kindOf(undefined, { ...snapshot, active: [...(snapshot.active ?? []), ...(snapshot.active ?? [])] }),
    'root_mismatch',
  );
  const moved = after(snapshot);
  assert.equal(kindOf(moved, { ...model.heartbeat(), ...wrong }), 'root_mismatch');
  assert.equal(kindOf(moved, { ...model.snapshot(), ...wrong }), 'root_mismatch', 'of one epoch the first state stays');
});

test('the last beats of a log make the state together, or do not agree', () => {
  const model = feedModel();
  const a = model.issue(uuid(1), category('a'));
  const b = model.issue(uuid(2), category('b'));
  const lifted = model.lift(uuid(1));
  const heartbeat = model.heartbeat();
  for (const beats of [
    [b, lifted, heartbeat],
    [heartbeat, a, lifted, b],
    [lifted, b],
  ]) {
    const stepped = fromLog(undefined, beats);
    assert.ok(stepped.ok && stepped.value.kind === 'applied');
    agrees(stepped.value.replica, model);
  }
  for (const beats of [[a, b, heartbeat], [lifted], [heartbeat], [a, lifted]]) {
    assert.deepEqual(fromLog(undefined, beats), { ok: false, error: 'root_mismatch' });
  }
  assert.deepEqual(fromLog(undefined, []), { ok: true, value: { kind: 'ignored' } });
  assert.deepEqual(fromLog(after(model.snapshot()), [a]), { ok: true, value: { kind: 'ignored' } });
});

test('an allow is void after a later directive against a target of it, lifted since or not', () => {
  const model = feedModel();
  const beats = [
    model.snapshot(),
    model.issue(uuid(1), category('a')),
    model.lift(uuid(1)),
    model.issue(uuid(2), category('b')),
  ];
  const replica = after(...beats);
  const voided = (epoch: number, ...targets: string[]) => isVoid(replica, { epoch, targets });
  assert.deepEqual(
    [voided(0, 'category:a'), voided(1, 'category:a'), voided(2, 'all', 'category:b')],
    [true, false, true],
  );
  assert.deepEqual([voided(3, 'category:b'), voided(0, 'category:c'), voided(0)], [false, false, false]);
});

test('what may have been issued and lifted unseen voids what was allowed before', () => {
  const model = feedModel();
  const first = after(model.snapshot());
  model.issue(uuid(1), category('a'));
  const next = after(model.snapshot());
  const overOne = step(first, model.snapshot());
  assert.ok(overOne.ok && overOne.value.kind === 'applied');
  assert.ok(!isVoid(overOne.value.replica, { epoch: 0, targets: ['category:b'] }), 'one epoch cannot hide anything');
  model.lift(uuid(1));
  model.issue(uuid(2), category('b'));
  const overTwo = step(next, model.snapshot());
  assert.ok(overTwo.ok && overTwo.value.kind === 'applied');
  assert.ok(isVoid(overTwo.value.replica, { epoch: 1, targets: ['category:c'] }));
  assert.ok(!isVoid(overTwo.value.replica, { epoch: 3, targets: ['category:a', 'category:b'] }));
});

test('targets are not remembered without bound', () => {
  const model = feedModel();
  let replica = after(model.snapshot());
  const lastIssued = new Map(Array.from({ length: 20_000 }, (_, index) => [`task:${uuid(index)}`, 0] as const));
  replica = { ...replica, lastIssued };
  const stepped = step(replica, model.issue(uuid(1), category('a')));
  assert.ok(stepped.ok && stepped.value.kind === 'applied');
  assert.equal(stepped.value.replica.lastIssued.size, 1);
  assert.ok(
    isVoid(stepped.value.replica, { epoch: 0, targets: ['category:b'] }),
    'what is forgotten may have been stopped',
  );
});
