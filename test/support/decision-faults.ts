import type { Approval } from '../../libs/calls/approvals.js';
import type { CheckName } from '../../libs/vocabulary/words.js';
import { PIN, REVIEW, observed, type World } from './decision-world.js';
import { at, digest, uuid } from './given.js';

/** One fault for each reason code, with the check that finds it, in the order of the checks. */
export const FAULTS: readonly [CheckName, string, (made: World) => void][] = [
  ['registered', 'capability_unregistered', (made) => (made.registered = false)],
  ['registered', 'version_unregistered', (made) => (made.versions = false)],
  ['not_disabled', 'disabled', (made) => made.directives.push({ target: { type: 'all' } })],
  ['reviewed', 'version_pending', (made) => (made.version.status = 'pending')],
  ['reviewed', 'version_rejected', (made) => (made.version.status = 'rejected')],
  ['reviewed', 'version_suspended', (made) => (made.version.status = 'suspended')],
  ['reviewed', 'version_revoked', (made) => (made.version.status = 'revoked')],
  ['pinned', 'task_unknown', (made) => (made.task = undefined)],
  ['pinned', 'task_closed', (made) => Object.assign(made.task ?? {}, { closed: true })],
  ['pinned', 'task_expired', (made) => Object.assign(made.task ?? {}, { expiresAt: at(1) })],
  ['pinned', 'capability_not_pinned', (made) => Object.assign(made.task ?? {}, { pins: new Map() })],
  [
    'pinned',
    'version_not_pinned',
    (made) => {
      made.call.version = '1';
      Object.assign(made.task ?? {}, { pins: new Map([['memory', { ...PIN, version: '2' }]]) });
    },
  ],
  ['definition', 'definition_missing', (made) => observed(made, { definition: undefined })],
  ['definition', 'definition_drifted', (made) => observed(made, { definition: digest('other') })],
  ['signature', 'signature_missing', (made) => (made.version.review = { ...REVIEW, exceptions: [] })],
  [
    'signature',
    'signature_unverifiable',
    (made) => (made.version.documents = { definition: digest('d'), manifest: digest('m'), signature: digest('s') }),
  ],
  [
    'server_identity',
    'server_identity_mismatch',
    (made) => observed(made, { server: { method: 'package', integrity: 'j' } }),
  ],
  ['server_identity', 'server_unauthenticated', (made) => observed(made, { server: { method: 'none' } })],
  ['capability_scope', 'operation_unknown', (made) => (made.call.operation = 'forget')],
  ['task_scope', 'outside_task_scope', (made) => Object.assign(made.task ?? {}, { scope: [] })],
  ['user_authority', 'outside_user_authority', (made) => (made.authority = { outcome: 'deny', determining: [] })],
  ['user_authority', 'policy_error', (made) => (made.authority = { outcome: 'error', determining: [] })],
  ['arguments', 'arguments_invalid', (made) => (made.argumentsValid = false)],
  ['approval', 'approval_required', (made) => needsApproval(made)],
  [
    'approval',
    'approval_denied',
    (made) => {
      needsApproval(made);
      made.calls.approvalOf = () => denied;
    },
  ],
  ...(['context_not_needed', 'context_above_sensitivity', 'context_too_large', 'filter_failed'] as const).map(
    (reason): [CheckName, string, (made: World) => void] => [
      'context',
      reason,
      (made) => (made.denial = { reason, evidence: { path: '/context/0' } }),
    ],
  ),
];

const needsApproval = (made: World) =>
  Object.assign(made.task ?? {}, { approve: { effects: ['read', 'write'], by: 'other' } });

const requested = {
  approvalId: uuid(90),
  callId: uuid(91),
  taskId: uuid(1),
  capability: 'memory',
  version: '1',
  operation: 'recall',
  effects: [],
  contentDigest: digest('content'),
  grade: 'other',
  why: ['task'],
  expiresAt: at(3600),
} as const;
const denied: Approval = {
  requested: { ...requested, effects: [] },
  requestedAt: at(0),
  decided: {
    data: { approvalId: uuid(90), callId: uuid(91), taskId: uuid(1), verdict: 'denied' },
    by: 'anna',
    at: at(0),
  },
};
