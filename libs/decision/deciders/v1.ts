import { isUnenforced, schemaException } from '../../capability/exceptions.js';
import { lifecycleReason } from '../../capability/state.js';
import { defined } from '../../kernel/defined.js';
import { digestOf } from '../../kernel/digest.js';
import { ok } from '../../kernel/result.js';
import { capabilityScope, credential, taskScope, userAuthority } from '../call-checks.js';
import { fail, pass, skip, type CheckResult, type Question } from '../check.js';
import { decideBy, type Checks, type Decide } from '../decide.js';
import { pinned, registered, reviewed, serverIdentity } from '../version-checks.js';
import { signature } from './v3.js';
import { context } from './v2.js';

/**
 * Decider 1, frozen: it only decides its own records again. It differs from decider 2 in three checks (below) and in
 * its engine rules. Before decider 2 changes a check that both share, this file gets a copy of it.
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

export const decideByV1: Decide = (snapshot, call, engines) => decideBy(CHECKS, snapshot, call, engines);

/** Decider 1 compares a directive's source with the version's exactly, and names it in the directive's spelling. */
function notDisabled({ snapshot, call, version, targets }: Question): CheckResult {
  const { directives } = snapshot;
  const { epoch } = directives;
  const stopped = version !== undefined && lifecycleReason(version, call.host) !== undefined;
  for (const target of targets) {
    for (const directive of directives.active.get(target) ?? []) {
      if (stopped && directive.cause !== undefined && directive.target.type === 'version') continue;
      const source = directive.target.type === 'source' ? directive.target.source : undefined;
      if (source !== undefined && source !== `${version?.source.type}:${version?.source.name}`) continue;
      const rule = source === undefined ? target : `source:${source}`;
      return fail('disabled', { epoch, directive: directive.id }, { rule });
    }
  }
  return pass({ epoch });
}

/** Decider 1 treats an equal definition under another probe as a drift, and does not name the probe's members. */
function definition({ call, pin, version, connecting }: Question): CheckResult {
  const expected = pin?.definitionDigest;
  const { definition: observed, probe, whole } = call.observed;
  if (observed === undefined) return connecting ? skip({ expected }) : fail('definition_missing', { expected });
  const evidence = { expected, observed };
  if (observed !== expected) {
    return fail('definition_drifted', evidence, whole === true ? {} : { obligation: 'submit_definition' });
  }
  if (probe !== undefined && version?.probe !== undefined && probe !== digestOf(version.probe)) {
    return fail('definition_drifted', { ...evidence, probe: 'other' });
  }
  return pass(evidence);
}

const MAX_ERRORS = 8;

/** Decider 1 names the errors in the order and at the place in which they were found. */
function argumentsValid({ call, engines, operation, version }: Question): CheckResult {
  const schemaDigest = operation?.arguments;
  const thing = {
    operation: call.operation,
    ownName: operation?.ownName === true,
    operations: version?.operations ?? {},
  };
  const unenforced = version !== undefined && isUnenforced(version, call.operation, 'arguments');
  const valid =
    schemaDigest === undefined || unenforced ? ok(undefined) : engines.arguments(schemaDigest, call.arguments);
  const evidence = defined({ schemaDigest, exception: unenforced ? schemaException(call.operation) : undefined });
  const found = [...engines.named(thing, call.arguments), ...(valid.ok ? [] : valid.error)];
  if (found.length === 0) return pass(evidence);
  const errors = found
    .slice(0, MAX_ERRORS)
    .map(({ path, keyword }) => ({ path: path.slice(0, 256).toWellFormed(), keyword }));
  return fail('arguments_invalid', { ...evidence, errors });
}
