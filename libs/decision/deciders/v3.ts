import { argumentsValid, capabilityScope, context, credential, taskScope, userAuthority } from '../call-checks.js';
import { approval } from '../approval-check.js';
import { fail, pass, type CheckResult, type Question } from '../check.js';
import { decideBy, type Checks, type Decide } from '../decide.js';
import { definition, notDisabled, pinned, registered, reviewed, serverIdentity } from '../version-checks.js';

/**
 * Decider 3, frozen: it only decides its own records again. It verifies no signature. Before decider 4 changes a check
 * that both share, this file gets a copy of it.
 */
const CHECKS: Checks = [
  ['registered', registered, 'always'],
  ['not_disabled', notDisabled, 'always'],
  ['reviewed', reviewed, 'always'],
  ['pinned', pinned, 'always'],
  ['definition', definition, 'always'],
  ['signature', signature, 'always'],
  ['server_identity', serverIdentity, 'always'],
  ['capability_scope', capabilityScope, 'calls'],
  ['task_scope', taskScope, 'calls'],
  ['user_authority', userAuthority, 'calls'],
  ['arguments', argumentsValid, 'calls'],
  ['approval', approval, 'calls'],
  ['context', context, 'calls'],
  ['credential', credential, 'calls'],
];

export const decideByV3: Decide = (snapshot, call, engines) => decideBy(CHECKS, snapshot, call, engines);

/** Deciders 1 to 3 verify nothing: a signature that is present is unverifiable, and a missing one needs an exception. */
export function signature({ version }: Question): CheckResult {
  const result = version?.documents.signature === undefined ? 'signature_missing' : 'signature_unverifiable';
  if (result !== 'signature_missing') return fail(result, { result });
  const exception = version?.review?.exceptions.includes(result) === true;
  return exception ? pass({ result, exception: result }) : fail(result, { result });
}
