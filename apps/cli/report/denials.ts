import type { ReasonCode } from '../../../libs/vocabulary/words.js';
import { at, joined, list } from '../print.js';
import { targetText } from '../target.js';
import { clockIn, failedEvidence, lastBefore, named, toldOf, userOf, type CallFile } from './call-file.js';
import { isJsonObject, type Json } from '../../../libs/kernel/canonical-json.js';

/** Says why a call was denied, without a full stop. */
type Denial = (file: CallFile) => string;

/** A sentence for every reason code. `docs/concepts.md` explains the codes. */
export const DENIALS: Readonly<Record<ReasonCode, Denial>> = {
  capability_unregistered: ({ call }) => `no capability ${named(at(call, 'capability'))} is registered`,
  version_unregistered: (file) => `${version(file)} of ${capability(file)} is not registered`,
  disabled: (file) => disabled(file),
  version_pending: (file) => `${version(file)} has no review yet${toldAs(file, 'proposed', 'VersionProposed')}`,
  version_rejected: (file) => `${version(file)} was rejected${toldOf(file, lastBefore(file, 'VersionReviewed'))}`,
  version_suspended: (file) => {
    const host = at(failedEvidence(file), 'suspendedFor');
    const suspended = `${version(file)} was suspended${host === '' ? '' : ` for host ${named(host)}`}`;
    return `${suspended}${toldOf(file, lastBefore(file, 'VersionSuspended'))}`;
  },
  version_revoked: (file) => `${version(file)} was revoked${toldOf(file, lastBefore(file, 'VersionRevoked'))}`,
  task_unknown: ({ call }) => `host ${named(at(call, 'host'))} has no task ${named(at(call, 'taskId'))}`,
  task_closed: (file) => `the task was closed${toldOf(file, closingOf(file))}`,
  task_expired: (file) => {
    const expiry = at(failedEvidence(file), 'expiresAt') || at(file.task, 'expiresAt');
    return `the task expired${expiry === '' ? '' : ` at ${clockIn(file.call, expiry)}`}`;
  },
  capability_not_pinned: (file) => `the task has no pinned version of ${capability(file)}`,
  version_not_pinned: (file) =>
    `the task pins version ${named(at(failedEvidence(file), 'version'))}, and the call asked for ${version(file)}`,
  definition_missing: (file) => `the host did not say which definition the server has now, for ${version(file)}`,
  definition_drifted: (file) => {
    const nulls = at(failedEvidence(file), 'hint') === 'equal_but_for_nulls';
    const drifted = `the server's definition differs from the reviewed one of ${version(file)}`;
    return nulls ? `${drifted} by members that the client wrote as null` : drifted;
  },
  signature_missing: (file) => `${version(file)} is not signed, and no reviewer accepted that`,
  signature_invalid: (file) => `the signature of ${version(file)} is not valid`,
  publisher_unknown: (file) => `the publisher that signed ${version(file)} is not registered`,
  publisher_key_expired: (file) => `the key that signed ${version(file)} had expired`,
  publisher_key_revoked: (file) => `the key that signed ${version(file)} was revoked`,
  signature_unverifiable: (file) => `the service cannot verify the signature of ${version(file)}`,
  server_unauthenticated: (file) => `nothing proves which server answers for ${version(file)}`,
  server_identity_mismatch: (file) =>
    `the server is not the one that ${version(file)} expects, by the method ${named(at(failedEvidence(file), 'method'))}`,
  operation_unknown: (file) => `${version(file)} has no operation ${named(at(file.call, 'operation'))}`,
  outside_task_scope: (file) => outsideScope(file),
  outside_user_authority: (file) => outsideAuthority(file),
  policy_error: (file) => `an error in ${policyOf(file)} stopped its evaluation for ${userOf(file.call)}`,
  arguments_invalid: (file) => {
    const errors = list(failedEvidence(file), 'errors').map(
      (error) => `${at(error, 'keyword')} at ${named(at(error, 'path') || '/')}`,
    );
    return `the arguments are not valid${errors.length === 0 ? '' : `: ${errors.join(', ')}`}`;
  },
  context_above_sensitivity: (file) => `a context item is above the sensitivity that ${version(file)} may see`,
  approval_required: () => 'the call needs an approval that nobody has given',
  approval_denied: () => 'its approval was denied',
  context_too_large: () => 'a value is longer than the call may send',
  context_not_needed: () => 'a context item is not needed for the call',
  filter_failed: () => 'the filter of outbound content failed',
  credential_unavailable: () => 'no credential could be issued for the call',
  internal_error: () => 'the service failed during the decision, and a failure denies',
  view_stale: () => 'the service had not read its newest events, so it could not decide',
};

const version = ({ call }: CallFile): string =>
  at(call, 'version') === '' ? 'the version' : `version ${named(at(call, 'version'))}`;

const capability = ({ call }: CallFile): string => named(at(call, 'capability'));

/** `, proposed by rita at …`. The reason of the event is no part of it. */
function toldAs(file: CallFile, verb: string, type: string): string {
  const event = lastBefore(file, type);
  if (event === undefined) return '';
  return `, ${verb} by ${at(event, 'actor')} at ${clockIn(file.call, at(event, 'time'))}`;
}

function disabled(file: CallFile): string {
  const id = at(failedEvidence(file), 'directive');
  const directive = file.history.find(
    (event) => at(event, 'type') === 'DirectiveIssued' && at(event, 'data', 'id') === id,
  );
  const data = isJsonObject(directive) ? directive['data'] : undefined;
  const target = isJsonObject(data) ? targetText(data) : at(file.call, 'scopeCheck', 'rule');
  return directive === undefined
    ? `the directive ${named(id)} disables ${target === '' ? 'something that covers the call' : named(target)}`
    : `${named(target)} was disabled${toldOf(file, directive)}`;
}

function closingOf({ call, events }: CallFile): Json | undefined {
  const closing = events.find(
    (event) =>
      at(event, 'type') === 'TaskClosed' &&
      [at(event, 'data', 'taskId'), at(event, 'stream').replace(/^task-/, '')].includes(at(call, 'taskId')),
  );
  return closing;
}

function outsideScope(file: CallFile): string {
  const evidence = failedEvidence(file);
  const calls = at(evidence, 'calls');
  if (calls !== '') return `all ${calls} calls of scope entry ${at(evidence, 'entry')} of the task were used`;
  const effects = joined(file.call, 'scopeCheck', 'capability', 'effects');
  const what = `${named(at(file.call, 'operation'))}${effects === '' ? '' : ` (${effects})`}`;
  return `the scope of the task does not cover ${what} of ${capability(file)}`;
}

function outsideAuthority(file: CallFile): string {
  const evidence = failedEvidence(file);
  if (at(evidence, 'policyVersion') === '') return `no policy is in force in the set ${named(at(evidence, 'set'))}`;
  const rules = joined(evidence, 'determining');
  const user = userOf(file.call);
  return rules === '' ? `${policyOf(file)} does not permit it to ${user}` : `the policy ${rules} forbids it to ${user}`;
}

/** `version 3 of the policy set default`. */
export function policyOf({ call }: CallFile): string {
  const set = at(call, 'scopeCheck', 'user', 'set');
  const policyVersion = at(call, 'scopeCheck', 'user', 'policyVersion') || at(call, 'policyVersion');
  if (policyVersion === '') return 'the policy set';
  return `version ${policyVersion} of the policy set ${set === '' ? 'default' : named(set)}`;
}
