import assert from 'node:assert/strict';
import { feedModel } from '../../../test/support/feed-model.js';
import { uuid } from '../../../test/support/given.js';
import { test } from '../../../test/support/testing.js';
import { HostView } from './view.js';

/** A service whose log was restored from a backup: hosts follow the new incarnation, and never the old one again. */

const LEASE_MS = 5000;
const category = (name: string) => ({ type: 'category', category: name }) as const;

function ground() {
  let nowMs = 1_800_000_000_000;
  const old = feedModel(
    () => nowMs,
    LEASE_MS,
    () => false,
    { incarnation: 10 },
  );
  const restored = feedModel(
    () => nowMs,
    LEASE_MS,
    () => false,
    { incarnation: 20, signedBy: old.key },
  );
  const view = new HostView(old.keys, { wallMs: () => nowMs, monotonicMs: () => nowMs - 1_000_000 }, 500);
  const ask = (model: typeof old): void => {
    const asked = view.asking();
    view.answered(model.snapshot(), asked);
  };
  ask(old);
  old.issue(uuid(1), category('a'));
  old.issue(uuid(2), category('b'));
  old.issue(uuid(3), category('c'));
  ask(old);
  const targets = () => [...view.directives().values()].map(({ target }) => target);
  return { old, restored, view, ask, targets, wait: (ms: number) => (nowMs += ms) };
}

test('a snapshot of a newer incarnation replaces all that was known, at a lower epoch', () => {
  const { restored, view, ask, targets, wait } = ground();
  assert.deepEqual([view.state().epoch, view.stale()], [3, undefined]);
  wait(10);
  restored.issue(uuid(9), category('x'));
  ask(restored);
  assert.deepEqual([view.state().epoch, view.stale()], [1, undefined]);
  assert.deepEqual(targets(), [category('x')]);
});

test('a heartbeat of a newer incarnation makes the host ask, and deny until it has the snapshot', () => {
  const { restored, view, ask, wait } = ground();
  wait(10);
  view.heard(restored.heartbeat());
  assert.equal(view.stale(), 'new_incarnation');
  assert.ok(view.wantsRoundTrip());
  wait(10);
  ask(restored);
  assert.deepEqual([view.stale(), view.state().epoch], [undefined, 0]);
  wait(1000);
  view.heard(restored.heartbeat());
  assert.equal(view.stale(), undefined);
});

test('the old incarnation never counts again, at whatever epoch, over any way in', () => {
  const { old, restored, view, ask, targets, wait } = ground();
  wait(10);
  ask(restored);
  wait(10);
  view.heard(old.issue(uuid(4), category('d')));
  view.heard(old.snapshot());
  view.loaded([old.heartbeat(), old.lift(uuid(4))]);
  assert.deepEqual([view.state().epoch, targets(), view.stale()], [0, [], undefined]);
  // A service with the old log renews nothing: the lease ends as if nobody had answered.
  wait(LEASE_MS - 100);
  ask(old);
  wait(200);
  assert.equal(view.stale(), 'lease_expired');
});

test('an allow of the old incarnation is void, also if no epoch of the new one says so', () => {
  const { restored, view, ask } = ground();
  const allow = { epoch: 3, targets: ['category:z'] };
  assert.ok(!view.isVoid(allow));
  ask(restored);
  assert.ok(view.isVoid(allow));
  const later = { epoch: 0, targets: ['category:z'] };
  assert.ok(!view.isVoid(later));
  restored.issue(uuid(9), category('z'));
  ask(restored);
  assert.ok(view.isVoid(later));
});

test('a compacted topic that holds both gives the state of the newer one', () => {
  const { old, restored, view, targets } = ground();
  const leftOver = old.issue(uuid(5), category('lost'));
  const change = restored.issue(uuid(9), category('x'));
  view.loaded([leftOver, restored.snapshot(), change]);
  assert.deepEqual([targets(), view.state().epoch], [[category('x')], 1]);
});

test('a service that names no incarnation yet is older than one that does', () => {
  const unnamed = feedModel(() => 1_800_000_000_100, LEASE_MS);
  const fresh = new HostView(unnamed.keys, { wallMs: () => 0, monotonicMs: () => 0 }, 500);
  const asked = fresh.asking();
  fresh.answered(unnamed.snapshot(), asked);
  assert.equal(fresh.state().epoch, 0);
  const named = feedModel(
    () => 1_800_000_000_200,
    LEASE_MS,
    () => false,
    { incarnation: 1, signedBy: unnamed.key },
  );
  fresh.heard(named.heartbeat());
  assert.equal(fresh.stale(), 'new_incarnation');
});
