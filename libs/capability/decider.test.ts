import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, digest, specified, uuid } from '../../test/support/given.js';
import { capabilityDecider, type CapabilityCommand } from './decider.js';
import type { Diff } from './diff.js';
import { capabilityEventSchemas, type CapabilityEvent } from './events.js';
import { MAX_SNAPSHOTS } from './observe.js';
import { awaitsReview, defaultVersion, lifecycleReason } from './state.js';

const given = specified(capabilityDecider, capabilityEventSchemas);
type Amended = Of<'ExceptionsAmended'>['data'];
type ReviewCommand = Extract<CapabilityCommand, { type: 'review' }>;
type Of<Type extends CapabilityEvent['type']> = Extract<CapabilityEvent, { type: Type }>;

const registration: Of<'CapabilityRegistered'>['data'] = {
  capability: 'memory',
  kind: 'mcp-server',
  category: 'notes',
  owner: 'team',
  publishers: [],
  requestDigest: digest('registration'),
};
const proposal = (version = '1', more: Partial<Of<'VersionProposed'>['data']> = {}): Of<'VersionProposed'>['data'] => ({
  capability: 'memory',
  version,
  source: { type: 'npm', name: 'memory' },
  definitionDigest: digest(`definition ${version}`),
  documents: { definition: digest('d'), manifest: digest('m') },
  operations: { recall: { effects: ['read'] } },
  sensitivity: 'internal',
  server: { method: 'none' },
  requestDigest: digest(`proposal ${version}`),
  ...more,
});
const by = (actor: string, minute = 0) => ({ actor, time: at(minute) });

const registered: CapabilityEvent = { type: 'CapabilityRegistered', data: registration, ...by('rita') };
const proposed = (version = '1', more: Partial<Of<'VersionProposed'>['data']> = {}): CapabilityEvent => ({
  type: 'VersionProposed',
  data: proposal(version, more),
  ...by('rita'),
});
/** The weaknesses of the version: it is unsigned, and its server proves nothing. */
const EXCEPTED = ['server_unauthenticated', 'signature_missing'] as const;
const of = (version = '1') => ({ capability: 'memory', version });
const reviewed = (verdict: 'approved' | 'rejected' = 'approved', version = '1'): CapabilityEvent => ({
  type: 'VersionReviewed',
  data: { ...of(version), verdict, reason: 'r', exceptions: verdict === 'approved' ? [...EXCEPTED] : [] },
  ...by('vera'),
});
const suspended = (actor = 'otto', more: Partial<Of<'VersionSuspended'>['data']> = {}): CapabilityEvent => ({
  type: 'VersionSuspended',
  data: { ...of(), reason: 'r', cause: 'decision', directiveId: uuid(1), ...more },
  ...by(actor),
});
const reinstated: CapabilityEvent = {
  type: 'VersionReinstated',
  data: { ...of(), reason: 'r', directiveId: uuid(1) },
  ...by('vera'),
};
const revoked: CapabilityEvent = {
  type: 'VersionRevoked',
  data: { ...of(), reason: 'r', directiveId: uuid(2) },
  ...by('otto'),
};

const HISTORIES: Record<string, CapabilityEvent[]> = {
  pending: [registered, proposed()],
  approved: [registered, proposed(), reviewed()],
  rejected: [registered, proposed(), reviewed('rejected')],
  suspended: [registered, proposed(), reviewed(), suspended()],
  revoked: [registered, proposed(), reviewed(), revoked],
};
const COMMANDS: Record<string, { command: CapabilityCommand; gives: CapabilityEvent; from: string[] }> = {
  approve: {
    command: { type: 'review', version: '1', verdict: 'approved', reason: 'r', exceptions: EXCEPTED, ...by('vera') },
    gives: reviewed(),
    from: ['pending'],
  },
  reject: {
    command: { type: 'review', version: '1', verdict: 'rejected', reason: 'r', exceptions: [], ...by('vera') },
    gives: reviewed('rejected'),
    from: ['pending'],
  },
  suspend: {
    command: { type: 'suspend', version: '1', reason: 'r', directiveId: uuid(1), ...by('otto') },
    gives: suspended(),
    from: ['approved'],
  },
  amend: {
    command: { type: 'amend', version: '1', add: [], remove: ['signature_missing'], reason: 'r', ...by('vera') },
    gives: {
      type: 'ExceptionsAmended',
      data: { ...of(), added: [], removed: ['signature_missing'], reason: 'r' },
      ...by('vera'),
    },
    from: ['approved'],
  },
  reinstate: {
    command: { type: 'reinstate', version: '1', reason: 'r', ...by('vera') },
    gives: reinstated,
    from: ['suspended'],
  },
  revoke: {
    command: { type: 'revoke', version: '1', reason: 'r', directiveId: uuid(2), ...by('otto') },
    gives: revoked,
    from: ['pending', 'approved', 'rejected', 'suspended'],
  },
};
for (const [name, { command, gives, from }] of Object.entries(COMMANDS)) {
  for (const [status, history] of Object.entries(HISTORIES)) {
    const taken = from.includes(status);
    test(`${name} on a version that is ${status} is ${taken ? 'taken' : 'refused'}`, () => {
      const outcome = given(...history).when(command);
      if (taken) outcome.thenEvents(gives);
      else outcome.thenRefused('invalid_transition');
    });
  }
}

test('a registration brings its first version', () => {
  given()
    .when({ type: 'register', registration, proposal: proposal(), ...by('rita') })
    .thenEvents(registered, proposed());
});

test('the same registration again is nothing new, another one under its id is refused', () => {
  const history = given(registered, proposed(), reviewed());
  history.when({ type: 'register', registration, proposal: proposal(), ...by('rob') }).thenNothing();
  const other = { ...registration, requestDigest: digest('other') };
  history
    .when({ type: 'register', registration: other, proposal: proposal(), ...by('rita') })
    .thenRefused('already_exists');
});

test('a version is immutable', () => {
  const history = given(registered, proposed());
  history.when({ type: 'propose', proposal: proposal('2'), ...by('rita') }).thenEvents(proposed('2'));
  history.when({ type: 'propose', proposal: proposal(), ...by('rob') }).thenNothing();
  const changed = proposal('1', { requestDigest: digest('other') });
  history.when({ type: 'propose', proposal: changed, ...by('rita') }).thenRefused('already_exists');
});

test('what is not there is not found', () => {
  given()
    .when({ type: 'propose', proposal: proposal(), ...by('rita') })
    .thenRefused('not_found');
  for (const { command } of Object.values(COMMANDS)) {
    given().when(command).thenRefused('not_found');
    given(registered, proposed('2')).when(command).thenRefused('not_found');
  }
});

test('nobody reviews what they proposed', () => {
  const review = { type: 'review', version: '1', verdict: 'approved', reason: 'r', exceptions: [] } as const;
  given(registered, proposed())
    .when({ ...review, ...by('rita') })
    .thenRefused('self_review');
});

test('nobody reinstates what they suspended or proposed, a drifted host included', () => {
  const reinstate = (actor: string) => ({ type: 'reinstate', version: '1', reason: 'r', ...by(actor) }) as const;
  for (const actor of ['vera', 'otto']) {
    const history = given(registered, proposed(), reviewed(), suspended(actor));
    history.when(reinstate(actor)).thenRefused('self_review');
    history.when(reinstate('rita')).thenRefused('self_review');
  }
  const alone = given(registered, proposed(), reviewed(), drift('x'), stopped({ host: 'hank' }));
  alone.when(reinstate('hank')).thenRefused('self_review');
  alone.when(reinstate('rita')).thenRefused('self_review');
});

test('exceptions are kept once each, in order, and only with an approval', () => {
  const exceptions = ['signature_missing', 'server_unauthenticated', 'signature_missing'] as const;
  const review = { type: 'review', version: '1', reason: 'r', exceptions, ...by('vera') } as const;
  const kept = (verdict: 'approved' | 'rejected', codes: readonly (typeof exceptions)[number][]): CapabilityEvent => ({
    type: 'VersionReviewed',
    data: { ...of(), verdict, reason: 'r', exceptions: [...codes] },
    ...by('vera'),
  });
  const history = given(registered, proposed());
  history
    .when({ ...review, verdict: 'approved' })
    .thenEvents(kept('approved', ['server_unauthenticated', 'signature_missing']));
  history.when({ ...review, verdict: 'rejected' }).thenEvents(kept('rejected', []));
});

test('only the weaknesses that can be accepted are accepted', () => {
  const review = { type: 'review', version: '1', verdict: 'approved', reason: 'r', ...by('vera') } as const;
  const expecting = proposed('1', { server: { method: 'spiffe', id: 'spiffe://a/b' } });
  given(registered, expecting)
    .when({ ...review, exceptions: ['server_unauthenticated'] })
    .thenRefused('malformed_request');
  given(registered, proposed())
    .when({ ...review, exceptions: ['definition_drifted'] })
    .thenRefused('malformed_request');
  for (const code of ['schema_unenforced:recall', 'schema_unenforced:__proto__'] as const) {
    given(registered, proposed())
      .when({ ...review, exceptions: [...EXCEPTED, code] })
      .thenRefused('malformed_request');
  }
});

test('an approval names every exception that the version needs', () => {
  const review = { type: 'review', version: '1', verdict: 'approved', reason: 'r', ...by('vera') } as const;
  const needs = (more: Partial<Of<'VersionProposed'>['data']>, exceptions: ReviewCommand['exceptions']) => {
    const { state } = given(registered, proposed('1', more));
    const decided = capabilityDecider.decide({ ...review, exceptions }, state);
    return decided.ok ? undefined : [decided.error.code, decided.error.needed];
  };
  assert.deepEqual(needs({}, []), ['exception_required', EXCEPTED]);
  assert.deepEqual(needs({}, ['signature_missing']), ['exception_required', ['server_unauthenticated']]);
  assert.equal(needs({}, EXCEPTED), undefined);
  const unvettable = { operations: { recall: { effects: ['write' as const], unenforced: { arguments: 'why' } } } };
  const code = 'schema_unenforced:recall';
  assert.deepEqual(needs(unvettable, EXCEPTED), ['exception_required', [code]]);
  assert.equal(needs(unvettable, [...EXCEPTED, code]), undefined);
  const proven = { server: { method: 'spiffe' as const, id: 'spiffe://a/b' } };
  assert.deepEqual(needs(proven, []), ['exception_required', ['signature_missing']]);
});

test('exceptions of an approved version are amended by a reviewer who did not propose it', () => {
  const amend = { type: 'amend', version: '1', add: [], remove: [], reason: 'r', ...by('vera') } as const;
  const amended = (added: Amended['added'], removed: Amended['removed']): CapabilityEvent => ({
    type: 'ExceptionsAmended',
    data: { ...of(), added, removed, reason: 'r' },
    ...by('vera'),
  });
  const approved = given(registered, proposed(), reviewed());
  const without = amended([], ['signature_missing']);
  approved.when({ ...amend, remove: ['signature_missing', 'signature_missing'] }).thenEvents(without);
  const fewer = given(registered, proposed(), reviewed(), without);
  assert.deepEqual(fewer.state?.versions.get('1')?.review?.exceptions, ['server_unauthenticated']);
  fewer.when({ ...amend, add: ['signature_missing'] }).thenEvents(amended(['signature_missing'], []));
  fewer.when({ ...amend, add: ['server_unauthenticated'], remove: ['signature_missing'] }).thenNothing();
  approved.when({ ...amend, add: ['definition_drifted'] }).thenRefused('malformed_request');
  approved.when({ ...amend, remove: ['definition_drifted'] }).thenRefused('malformed_request');
  approved
    .when({ ...amend, add: ['signature_missing'], remove: ['signature_missing'] })
    .thenRefused('malformed_request');
  approved.when({ ...amend, remove: ['signature_missing'], ...by('rita') }).thenRefused('self_review');
});

const diff: Diff = {
  severity: 'cosmetic',
  changes: [{ path: '/instructions', kind: 'changed', severity: 'cosmetic' }],
};
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
const drift = (
  seen: string,
  actor = 'hank',
  minute = 100,
  snapshot = true,
  more: { withoutTask?: true } = {},
): CapabilityEvent => ({
  type: 'DriftObserved',
  data: {
    ...of(),
    host: actor,
    observedDigest: digest(seen),
    diff,
    ...(snapshot ? { snapshot: digest(`blob ${seen}`) } : {}),
    ...more,
  },
  ...by(actor, minute),
});
const stopped = (scope: { directiveId: string } | { host: string }, actor = 'hank', minute = 100): CapabilityEvent => ({
  type: 'VersionSuspended',
  data: { ...of(), reason: 'drift: cosmetic', cause: 'drift', ...scope },
  ...by(actor, minute),
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

test('the default version is the one whose first approval is the latest', () => {
  const history = [registered, proposed('1'), proposed('2'), proposed('3')];
  const pinned = (...more: CapabilityEvent[]) => {
    const { state } = given(...history, ...more);
    assert.ok(state !== undefined);
    return defaultVersion(state)?.version;
  };
  assert.equal(pinned(), undefined);
  assert.equal(pinned(reviewed('approved', '2'), reviewed('approved', '1')), '1');
  assert.equal(pinned(reviewed('approved', '1'), suspended(), reviewed('approved', '3'), reinstated), '3');
  assert.equal(pinned(reviewed('approved', '3'), reviewed('rejected', '1')), '3');
  const unproven = proposed('4', { sensitivity: 'restricted' });
  assert.equal(pinned(unproven, reviewed('approved', '4')), undefined);
  assert.equal(pinned(reviewed('approved', '1'), unproven, reviewed('approved', '4')), '1');
  const proven = proposed('5', { sensitivity: 'restricted', server: { method: 'spiffe', id: 'spiffe://a/b' } });
  assert.equal(pinned(reviewed('approved', '1'), proven, reviewed('approved', '5')), '5');
});
