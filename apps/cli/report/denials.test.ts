import assert from 'node:assert/strict';
import { ReasonCode } from '../../../libs/vocabulary/words.js';
import { test } from '../../../test/support/testing.js';
import type { CallFile } from './call-file.js';
import { sentenceOf } from './call-report.js';

const DIRECTIVE = '7d1c8f0e-4a53-4d53-9d39-0e6b7e1f5a10';
const by = (actor: string, time: string) => ({ actor, time: `2026-11-22T${time}.041Z` });
const HISTORY = [
  { type: 'VersionProposed', position: '1', ...by('rolf', '19:00:00'), data: { version: '1.0.0' } },
  { type: 'VersionReviewed', position: '2', ...by('rita', '19:05:00'), data: { version: '1.0.0', reason: 'read it' } },
  { type: 'VersionRevoked', position: '3', ...by('nina', '19:06:00'), data: { version: '0.9.0', reason: 'old' } },
  { type: 'VersionSuspended', position: '4', ...by('otto', '20:10:00'), data: { version: '1.0.0', reason: 'drift' } },
  {
    type: 'DirectiveIssued',
    position: '5',
    actor: 'olga',
    time: '2026-11-21T23:00:00.000Z',
    data: { id: DIRECTIVE, target: { type: 'operation', capability: 'fs', operation: 'write' }, reason: 'INC-1' },
  },
  {
    type: 'VersionRevoked',
    position: '6',
    ...by('olga', '20:29:22'),
    data: { version: '1.0.0', reason: 'CVE-2026-1111' },
  },
  { type: 'VersionRevoked', position: '99', ...by('late', '23:00:00'), data: { version: '1.0.0', reason: 'later' } },
];
const CALL = {
  callId: 'c1',
  taskId: 't1',
  host: 'h1',
  user: { id: 'ada' },
  time: '2026-11-22T20:29:40.000Z',
  position: '10',
  capability: 'fs',
  version: '1.0.0',
  operation: 'write',
  decision: 'deny',
  scopeCheck: { user: { set: 'default', policyVersion: 3 }, capability: { effects: ['write'] } },
};
const EVENTS = [
  { type: 'TaskClosed', stream: 'task-t1', position: '9', ...by('h1', '20:29:39'), data: {} },
  { type: 'TaskClosed', stream: 'task-t2', position: '9', ...by('h2', '20:00:00'), data: {} },
];

const fileOf = (reason: string, evidence: object = {}): CallFile =>
  ({
    call: { ...CALL, reason, checks: [{ check: 'x', outcome: 'fail', evidence }] },
    history: HISTORY,
    events: EVENTS,
  }) as unknown as CallFile;

/** Each reason with the evidence of its check, and its sentence. */
const TOLD: Readonly<Record<ReasonCode, readonly [object, string]>> = {
  capability_unregistered: [{}, 'no capability fs is registered'],
  version_unregistered: [{}, 'version 1.0.0 of fs is not registered'],
  disabled: [{ directive: DIRECTIVE }, 'operation:fs/write was disabled by olga at 23:00:00 on 2026-11-21, INC-1'],
  version_pending: [{}, 'version 1.0.0 has no review yet, proposed by rolf at 19:00:00'],
  version_rejected: [{}, 'version 1.0.0 was rejected by rita at 19:05:00, read it'],
  version_suspended: [{ suspendedFor: 'h1' }, 'version 1.0.0 was suspended for host h1 by otto at 20:10:00, drift'],
  version_revoked: [{}, 'version 1.0.0 was revoked by olga at 20:29:22, CVE-2026-1111'],
  task_unknown: [{}, 'host h1 has no task t1'],
  task_closed: [{}, 'the task was closed by h1 at 20:29:39'],
  task_expired: [{ expiresAt: '2026-11-22T20:29:30.000Z' }, 'the task expired at 20:29:30'],
  capability_not_pinned: [{}, 'the task has no pinned version of fs'],
  version_not_pinned: [{ version: '0.9.0' }, 'the task pins version 0.9.0, and the call asked for version 1.0.0'],
  definition_missing: [{}, 'the host did not say which definition the server has now, for version 1.0.0'],
  definition_drifted: [
    { hint: 'equal_but_for_nulls' },
    "the server's definition differs from the reviewed one of version 1.0.0 by members that the client wrote as null",
  ],
  signature_missing: [{}, 'version 1.0.0 is not signed, and no reviewer accepted that'],
  signature_invalid: [{}, 'the signature of version 1.0.0 is not valid'],
  publisher_unknown: [{}, 'the publisher that signed version 1.0.0 is not registered'],
  publisher_key_expired: [{}, 'the key that signed version 1.0.0 had expired'],
  publisher_key_revoked: [{}, 'the key that signed version 1.0.0 was revoked'],
  signature_unverifiable: [{}, 'the service cannot verify the signature of version 1.0.0'],
  server_unauthenticated: [{}, 'nothing proves which server answers for version 1.0.0'],
  server_identity_mismatch: [
    { method: 'tls' },
    'the server is not the one that version 1.0.0 expects, by the method tls',
  ],
  operation_unknown: [{}, 'version 1.0.0 has no operation write'],
  outside_task_scope: [{}, 'the scope of the task does not cover write (write) of fs'],
  outside_user_authority: [
    { set: 'default', policyVersion: 3, determining: [] },
    'version 3 of the policy set default does not permit it to user ada',
  ],
  policy_error: [{}, 'an error in version 3 of the policy set default stopped its evaluation for user ada'],
  arguments_invalid: [
    { errors: [{ path: '/key', keyword: 'required' }] },
    'the arguments are not valid: required at /key',
  ],
  context_above_sensitivity: [{}, 'a context item is above the sensitivity that version 1.0.0 may see'],
  approval_required: [{}, 'the call needs an approval that nobody has given'],
  approval_denied: [{}, 'its approval was denied'],
  context_too_large: [{}, 'a value is longer than the call may send'],
  context_not_needed: [{}, 'a context item is not needed for the call'],
  filter_failed: [{}, 'the filter of outbound content failed'],
  credential_unavailable: [{}, 'no credential could be issued for the call'],
  internal_error: [{}, 'the service failed during the decision, and a failure denies'],
  view_stale: [{}, 'the service had not read its newest events, so it could not decide'],
};

test('every reason code has its sentence', () => {
  for (const reason of ReasonCode.options) {
    const [evidence, sentence] = TOLD[reason];
    assert.equal(sentenceOf(fileOf(reason, evidence)), `Denied: ${sentence}`);
  }
});

test('a sentence needs no more than the reason', () => {
  for (const reason of ReasonCode.options) {
    const sentence = sentenceOf({ call: { decision: 'deny', reason }, history: [], events: [] });
    assert.doesNotMatch(sentence, /undefined|null|\[object/, reason);
    assert.ok(!sentence.includes(reason) && sentence.length > 'Denied: '.length, `${reason} has no sentence`);
  }
});

test('other evidence of a reason has a sentence of its own', () => {
  const others: readonly (readonly [string, object, string])[] = [
    ['outside_task_scope', { entry: 1, calls: 5 }, 'all 5 calls of scope entry 1 of the task were used'],
    ['outside_user_authority', { set: 'default' }, 'no policy is in force in the set default'],
    [
      'outside_user_authority',
      { set: 'default', policyVersion: 3, determining: ['no-writes'] },
      'the policy no-writes forbids it to user ada',
    ],
    ['disabled', { directive: 'unknown' }, 'the directive unknown disables something that covers the call'],
    ['of_another_version', {}, 'of_another_version'],
  ];
  for (const [reason, evidence, sentence] of others) {
    assert.equal(sentenceOf(fileOf(reason, evidence)), `Denied: ${sentence}`);
  }
});

test('an allow names the policy and the review', () => {
  const call = {
    ...CALL,
    decision: 'allow',
    reason: 'ok',
    scopeCheck: { user: { set: 'default', policyVersion: 3, determining: ['writers'] } },
  };
  assert.equal(
    sentenceOf({ call, history: HISTORY, events: [] }),
    'Allowed: the policy writers in version 3 of the policy set default permits it to user ada; ' +
      'version 1.0.0 was approved by rita at 19:05:00, read it',
  );
});

test('a damaged call is named with its place', () => {
  const place = { position: '7', stream: 'calls-t1', revision: 2 };
  const said = (call: object) => sentenceOf({ call: call as never, history: [], events: [] });
  assert.equal(said({ ...place, damaged: true }), 'DAMAGED: the event at position 7 of the log, calls-t1@2');
  assert.equal(said({ ...place, missing: true }), 'MISSING: there is no event at position 7 of the log, calls-t1@2');
});

test('a name that could be read as part of a sentence is quoted', () => {
  const file = fileOf('operation_unknown');
  const call = { ...(file.call as object), operation: 'x". Allowed: yes' } as never;
  assert.equal(sentenceOf({ ...file, call }), String.raw`Denied: version 1.0.0 has no operation "x\". Allowed: yes"`);
});
