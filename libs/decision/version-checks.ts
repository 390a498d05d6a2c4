import { probeDifference } from '../capability/probe.js';
import { lifecycleReason } from '../capability/state.js';
import { defined } from '../kernel/defined.js';
import { taskStatus } from '../task/decider.js';
import { fail, pass, skip, type CheckResult, type Question } from './check.js';
import { compareServer } from './server-identity.js';

/** Checks 1 to 7: may this version of this capability be talked to at all? */

export function registered({ snapshot, call, versionId, version }: Question): CheckResult {
  const evidence = defined({ capability: call.capability, version: versionId });
  if (snapshot.capability === undefined) return fail('capability_unregistered', evidence);
  if (versionId !== undefined && version === undefined) return fail('version_unregistered', evidence);
  return pass(evidence);
}

/** The targets of directives that come with the revocation of a key or of its publisher. */
const SIGNERS: ReadonlySet<string> = new Set(['publisher', 'publisher-key']);

/**
 * Leaves a directive that came with the suspension or revocation of this very version, or of the key that signed it, to
 * the check that names the reason. The directive still stops everything if that check would not.
 */
export function notDisabled({ snapshot, call, version, signed, targets }: Question): CheckResult {
  const { directives } = snapshot;
  const { epoch } = directives;
  const stopped = version !== undefined && lifecycleReason(version, call.host) !== undefined;
  const revoked = signed?.result === 'publisher_key_revoked';
  for (const target of targets) {
    for (const directive of directives.active.get(target) ?? []) {
      if (stopped && directive.cause !== undefined && directive.target.type === 'version') continue;
      if (revoked && directive.cause !== undefined && SIGNERS.has(directive.target.type)) continue;
      return fail('disabled', { epoch, directive: directive.id }, { rule: target });
    }
  }
  return pass({ epoch });
}

export function reviewed({ call, version }: Question): CheckResult {
  if (version === undefined) return skip();
  const { status, review } = version;
  const evidence = defined({
    status,
    by: review === undefined ? undefined : review.by,
    exceptions: review?.exceptions ?? [],
    suspendedFor: version.suspendedFor.has(call.host) ? call.host : undefined,
  });
  const reason = lifecycleReason(version, call.host);
  return reason === undefined ? pass(evidence) : fail(reason, evidence);
}

export function pinned({ snapshot, call, pin, versionId }: Question): CheckResult {
  const { task } = snapshot;
  if (task === undefined) return fail('task_unknown', {});
  const status = taskStatus(task, call.decidedAt);
  if (status !== 'open') return fail(`task_${status}`, { expiresAt: task.expiresAt });
  if (pin === undefined) return fail('capability_not_pinned', {});
  const evidence = { version: pin.version, definitionDigest: pin.definitionDigest };
  return pin.version === versionId ? pass(evidence) : fail('version_not_pinned', evidence);
}

/**
 * The server's current definition must equal the reviewed one, under any probe. If it differs, the evidence also names the
 * members in which the probes differ: a server may answer another probe with another definition. `hint` says that the
 * host's client wrote absent members as null.
 */
export function definition({ call, pin, version, connecting }: Question): CheckResult {
  const expected = pin?.definitionDigest;
  const { definition: observed, asked, whole, equalButForNulls } = call.observed;
  if (observed === undefined) return connecting ? skip({ expected }) : fail('definition_missing', { expected });
  const evidence = { expected, observed };
  if (observed !== expected) {
    const difference = probeDifference(version?.probe, asked);
    const hint = equalButForNulls === true ? 'equal_but_for_nulls' : undefined;
    const shown = defined({ ...evidence, hint, probe: difference });
    return fail('definition_drifted', shown, whole === true ? {} : { obligation: 'submit_definition' });
  }
  return pass(evidence);
}

/**
 * The signature was verified when it was registered, and whenever a key came: here the status of its keys decides. A
 * missing one passes only by a reviewer's exception.
 */
export function signature({ version, signed }: Question): CheckResult {
  const evidence = signed ?? { result: 'signature_missing' as const };
  const { result } = evidence;
  if (result === 'verified') return pass(evidence);
  const exception = result === 'signature_missing' && version?.review?.exceptions.includes(result) === true;
  return exception ? pass({ result, exception: result }) : fail(result, evidence);
}

export function serverIdentity({ call, version }: Question): CheckResult {
  const expected = version?.server ?? { method: 'none' as const };
  const observed = call.observed.server;
  const result = compareServer(expected, observed);
  const evidence = { method: observed.method, result, expected, observed };
  if (result === 'verified') return pass(evidence);
  if (result === 'mismatch') return fail('server_identity_mismatch', evidence);
  const excepted =
    expected.method === 'none' && version?.review?.exceptions.includes('server_unauthenticated') === true;
  return excepted
    ? pass({ ...evidence, exception: 'server_unauthenticated' })
    : fail('server_unauthenticated', evidence);
}
