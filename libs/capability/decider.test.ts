import assert from 'node:assert/strict';
import {
  EXCEPTED,
  by,
  given,
  of,
  proposal,
  proposed,
  registered,
  registration,
  reinstated,
  reviewed,
  revoked,
  suspended,
  type Of,
  drift,
  stopped,
} from '../../test/support/capability-facts.js';
import { digest, uuid } from '../../test/support/given.js';
import { capabilityDecider, type CapabilityCommand } from './decider.js';
import type { CapabilityEvent } from './events.js';
import { defaultVersion } from './default-version.js';
import { test } from '../../test/support/testing.js';

type Amended = Of<'ExceptionsAmended'>['data'];
type ReviewCommand = Extract<CapabilityCommand, { type: 'review' }>;

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
