import { argumentsValid, capabilityScope, credential, taskScope, userAuthority } from '../call-checks.js';
import { pass, type CheckResult, type Question } from '../check.js';
import { decideBy, type Checks, type Decide } from '../decide.js';
import { definition, notDisabled, pinned, registered, reviewed, serverIdentity } from '../version-checks.js';
import { signature } from './v3.js';

/**
 * Decider 2, frozen: it only decides its own records again. It asks for no approval, and no context item leaves. Before
 * decider 3 changes a check that both share, this file gets a copy of it.
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
  ['context', context, 'calls'],
  ['credential', credential, 'calls'],
];

export const decideByV2: Decide = (snapshot, call, engines) => decideBy(CHECKS, snapshot, call, engines);

/** Deciders 1 and 2 filter nothing: the arguments are sent as they are, and no context item is sent. */
export function context({ call }: Question): CheckResult {
  return pass({ items: call.contextItems, refusals: call.contextItems });
}
