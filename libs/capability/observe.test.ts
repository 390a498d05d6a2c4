import assert from 'node:assert/strict';
import {
  by,
  diff,
  drift,
  given,
  of,
  proposed,
  registered,
  reinstated,
  reviewed,
  revoked,
  stopped,
  suspended,
} from '../../test/support/capability-facts.js';
import { digest, uuid } from '../../test/support/given.js';
import type { CapabilityCommand } from './decider.js';
import type { CapabilityEvent } from './events.js';
import { MAX_SNAPSHOTS } from './observe.js';
import { awaitsReview, lifecycleReason } from './state.js';
import { test } from '../../test/support/testing.js';

const observe = (
  seen: string,
  more: Partial<Extract<CapabilityCommand, { type: 'observe' }>> = {},
): CapabilityCommand => ({
  type: 'observe',
  version: '1',
  observedDigest: digest(seen),
  diff,
  snapshot: digest(`blob ${seen}`),
  hostPinsVersion: true,
  mayStop: true,
  directiveId: uuid(7),
  ...by('hank', 100),
  ...more,
});
const approved = [registered, proposed(), reviewed()];

const WITHOUT_TASK = { withoutTask: true } as const;
const aloneOf = (host: string, seen = 'x') => [drift(seen, host, 1), stopped({ host }, host, 1)];

test('drift suspends for the host that reports it, for all if the host may stop them and pins the version', () => {
  given(...approved)
    .when(observe('x', { mayStop: false }))
    .thenEvents(drift('x'), stopped({ host: 'hank' }));
  given(...approved)
    .when(observe('x'))
    .thenEvents(drift('x'), stopped({ directiveId: uuid(7) }));
  given(...approved)
    .when(observe('x', { hostPinsVersion: false }))
    .thenEvents(drift('x', 'hank', 100, true, WITHOUT_TASK), stopped({ host: 'hank' }));
});

test('a second host that reports the same digest suspends for all', () => {
  const first = given(...approved, ...aloneOf('hugo'));
  const second = { mayStop: false } as const;
  first.when(observe('x', second)).thenEvents(drift('x', 'hank', 100, false), stopped({ directiveId: uuid(7) }));
  first.when(observe('y', second)).thenEvents(drift('y'), stopped({ host: 'hank' }));
  first.when(observe('x', { ...second, ...by('hugo', 100) })).thenNothing();
  given(...approved, ...aloneOf('hugo'), { ...reinstated, data: { ...of(), reason: 'r' } })
    .when(observe('x', second))
    .thenEvents(drift('x', 'hank', 100, false), stopped({ host: 'hank' }));
});

test('a host that is suspended alone is still heard, as the first or the second, of at most 8 digests', () => {
  const alone = { mayStop: false, ...by('hugo', 100) } as const;
  given(...approved, ...aloneOf('hugo'))
    .when(observe('y', alone))
    .thenEvents(drift('y', 'hugo'));
  given(...approved, ...aloneOf('hugo'), drift('y', 'hank', 1), stopped({ host: 'hank' }, 'hank', 1))
    .when(observe('y', alone))
    .thenEvents(drift('y', 'hugo', 100, false), stopped({ directiveId: uuid(7) }, 'hugo'));
  const many = Array.from({ length: 7 }, (_, index) => drift(`z${index}`, 'hugo', 2));
  const full = given(...approved, ...aloneOf('hugo'), ...many);
  full.when(observe('y', alone)).thenNothing();
});

test('what a host reported without a task is reported again once it has one', () => {
  const before = [drift('x', 'hugo', 1, true, WITHOUT_TASK), stopped({ host: 'hugo' }, 'hugo', 1)];
  const history = given(...approved, ...before);
  history.when(observe('x', { mayStop: false })).thenEvents(drift('x', 'hank', 100, false), stopped({ host: 'hank' }));
  history.when(observe('x', { mayStop: false, ...by('hugo', 100) })).thenEvents(drift('x', 'hugo', 100, false));
});

test('a drifted version waits for a reviewer until one reinstates or revokes it', () => {
  const waits = (...events: CapabilityEvent[]) => {
    const version = given(...events).state?.versions.get('1');
    assert.ok(version !== undefined);
    return awaitsReview(version);
  };
  assert.equal(waits(registered, proposed()), true);
  assert.equal(waits(registered, proposed(), drift('x'), reviewed()), false);
  assert.equal(waits(...approved, suspended()), false);
  const drifted = [...approved, ...aloneOf('hank')];
  assert.equal(waits(...drifted), true);
  assert.equal(waits(...drifted, stopped({ directiveId: uuid(1) }, 'hugo')), true);
  assert.equal(waits(...drifted, { ...reinstated, data: { ...of(), reason: 'r' } }), false);
  assert.equal(waits(...drifted, revoked), false);
});

test('drift of a version that is not approved is recorded and suspends nothing', () => {
  given(registered, proposed()).when(observe('x')).thenEvents(drift('x'));
  given(...approved, suspended())
    .when(observe('x'))
    .thenEvents(drift('x'));
});

test('an observation without news is nothing', () => {
  given(...approved)
    .when(observe('definition 1'))
    .thenNothing();
  const once = given(...approved, drift('x'), stopped({ directiveId: uuid(7) }));
  once.when(observe('x')).thenNothing();
  once.when(observe('x', by('hugo', 101))).thenNothing();
  const alone = given(...approved, drift('x'), stopped({ host: 'hank' }));
  alone.when(observe('x', { hostPinsVersion: false })).thenNothing();
});

test('a host that may stop others does so also when it was suspended alone before', () => {
  const alone = given(...approved, drift('x'), stopped({ host: 'hank' }));
  const stop = stopped({ directiveId: uuid(7) });
  alone.when(observe('x')).thenEvents(drift('x', 'hank', 100, false), stop);
  alone.when(observe('y')).thenEvents(drift('y'), stop);
});

test('a known drift suspends again after a reinstatement, without another snapshot', () => {
  given(...approved, drift('x', 'hank', 1), stopped({ directiveId: uuid(1) }, 'hank', 1), reinstated)
    .when(observe('x'))
    .thenEvents(drift('x', 'hank', 100, false), stopped({ directiveId: uuid(7) }));
});

test('the digest of another approved version suspends nothing', () => {
  const two = [proposed('2'), reviewed('approved', '2')];
  given(...approved, ...two)
    .when(observe('definition 2'))
    .thenNothing();
  given(...approved, proposed('2'))
    .when(observe('definition 2'))
    .thenEvents(drift('definition 2'), stopped({ directiveId: uuid(7) }));
});

test('the fourth suspension of a host within an hour is for that host alone', () => {
  const three = [41, 70, 99].flatMap((minute) => [
    drift(`x${minute}`, 'hank', minute),
    stopped({ directiveId: uuid(1) }, 'hank', minute),
    reinstated,
  ]);
  const history = given(...approved, ...three);
  history.when(observe('y')).thenEvents(drift('y'), stopped({ host: 'hank' }));
  history.when(observe('y', by('hugo', 100))).thenEvents(drift('y', 'hugo'), stopped({ directiveId: uuid(7) }, 'hugo'));
  history
    .when(observe('y', by('hank', 101)))
    .thenEvents(drift('y', 'hank', 101), stopped({ directiveId: uuid(7) }, 'hank', 101));
});

test(`past ${MAX_SNAPSHOTS} snapshots drift still suspends, and keeps no more of them`, () => {
  const many = Array.from({ length: MAX_SNAPSHOTS }, (_, index) => drift(`x${index}`, 'hugo', 1));
  given(...approved, ...many)
    .when(observe('y'))
    .thenEvents(drift('y', 'hank', 100, false), stopped({ directiveId: uuid(7) }));
  given(...approved, ...many, suspended())
    .when(observe('y'))
    .thenNothing();
});

test('what stops nobody else leaves half of the snapshots to what does', () => {
  const half = Array.from({ length: MAX_SNAPSHOTS / 2 }, (_, index) => drift(`x${index}`, 'hugo', 1));
  given(...approved, ...half)
    .when(observe('y', { hostPinsVersion: false }))
    .thenEvents(drift('y', 'hank', 100, false, WITHOUT_TASK), stopped({ host: 'hank' }));
  given(...approved, ...half)
    .when(observe('y'))
    .thenEvents(drift('y'), stopped({ directiveId: uuid(7) }));
  given(registered, proposed(), ...half)
    .when(observe('y'))
    .thenNothing();
});

test('a suspension for one host is that host’s alone, and a reinstatement ends it', () => {
  const alone = given(...approved, drift('x'), stopped({ host: 'hank' }));
  const version = alone.state?.versions.get('1');
  assert.ok(version !== undefined);
  assert.deepEqual(
    [lifecycleReason(version, 'hank'), lifecycleReason(version, 'hugo')],
    ['version_suspended', undefined],
  );
  alone
    .when({ type: 'reinstate', version: '1', reason: 'r', ...by('vera') })
    .thenEvents({ type: 'VersionReinstated', data: { ...of(), reason: 'r' }, ...by('vera') });
});
