import { isUnenforced, schemaException } from '../capability/exceptions.js';
import { tellingErrors } from '../content/schema/telling-errors.js';
import { reasonOf } from '../content/filter/filter.js';
import type { Denial, FilterResult } from '../content/filter/shapes.js';
import { defined } from '../kernel/defined.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { ok } from '../kernel/result.js';
import { ruleText } from '../policy/authority.js';
import { covers } from '../task/scope.js';
import type { Level } from '../vocabulary/words.js';
import { fail, pass, type CheckResult, type Question } from './check.js';
import { POLICY_SET, type ArgumentError } from './snapshot.js';

/** Checks 8 to 14: may this task make this call, as this user, with these arguments? */

export function capabilityScope({ operation }: Question): CheckResult {
  return operation === undefined ? fail('operation_unknown', {}) : pass({ effects: operation.effects });
}

/** The first entry that covers the call and has calls left. A call that was counted before is not counted again. */
export function taskScope({ snapshot, call, operation }: Question): CheckResult {
  const { task } = snapshot;
  let usedUp: { entry: number; calls: number } | undefined;
  for (const [entry, scope] of (task?.scope ?? []).entries()) {
    if (scope.capability !== call.capability || !covers(scope, call.operation, operation?.effects ?? [])) continue;
    if (scope.maxCalls === undefined) return pass({ entry });
    const counted = task?.counted.get(entry);
    const calls = counted?.size ?? 0;
    if (counted?.has(call.callId) === true) return pass({ entry, calls });
    if (calls < scope.maxCalls) return pass({ entry, calls }, { counts: entry });
    usedUp ??= { entry, calls };
  }
  return fail('outside_task_scope', usedUp ?? {});
}

/** The policies must allow every effect of the operation. */
export function userAuthority({ authority }: Question): CheckResult {
  const asked = authority();
  if (asked === undefined) return fail('outside_user_authority', { set: POLICY_SET });
  const { policyVersion, answer } = asked;
  const evidence = evidenceOf(policyVersion, answer.determining);
  // An error may come with policies that allow. They decided nothing, so no rule is named.
  if (answer.outcome === 'error') return fail('policy_error', evidence);
  if (answer.outcome === 'deny') return fail('outside_user_authority', evidence, ruleOf(answer.determining));
  return pass(evidence, ruleOf(answer.determining));
}

const evidenceOf = (policyVersion: number, determining: readonly string[]) => ({
  set: POLICY_SET,
  policyVersion,
  determining,
});

const ruleOf = (determining: readonly string[]) => (determining.length === 0 ? {} : { rule: ruleText(determining) });

/** Limit of argument errors that evidence names. */
const MAX_ERRORS = 8;

/**
 * The arguments name the same thing as the operation, and they match the pinned schema. Arguments are
 * attacker-controlled, and so was the schema until it was vetted. Evidence names the place and the rule of each error,
 * never a value.
 */
export function argumentsValid(question: Question): CheckResult {
  const { call, engines, operation, version } = question;
  const schemaDigest = operation?.arguments;
  const unenforced = version !== undefined && isUnenforced(version, call.operation, 'arguments');
  const valid =
    schemaDigest === undefined || unenforced ? ok(undefined) : engines.arguments(schemaDigest, call.arguments);
  const evidence = defined({ schemaDigest, exception: unenforced ? schemaException(call.operation) : undefined });
  const found = [...namedErrors(question, call.arguments), ...(valid.ok ? [] : tellingErrors(valid.error, MAX_ERRORS))];
  if (found.length === 0) return pass(evidence);
  const errors = found
    .slice(0, MAX_ERRORS)
    .map(({ path, keyword }) => ({ path: path.slice(0, 256).toWellFormed(), keyword }));
  return fail('arguments_invalid', { ...evidence, errors });
}

/** Errors of arguments that name a different thing than the operation does. */
const namedErrors = ({ call, engines, operation, version }: Question, args: JsonObject): readonly ArgumentError[] =>
  engines.named(
    { operation: call.operation, ownName: operation?.ownName === true, operations: version?.operations ?? {} },
    args,
  );

/** The level of context items without one, for a call that names none: the default of the setting. */
const CONTEXT_LEVEL: Level = 'confidential';

/**
 * Filters the request. The filtered arguments still name the same thing as the operation. Evidence has pointers, types and counts,
 * and never a value.
 */
export function context(question: Question): CheckResult {
  const { call, engines, operation, version } = question;
  const unenforced = version !== undefined && isUnenforced(version, call.operation, 'arguments');
  const filtered = engines.filter({
    arguments: call.arguments,
    context: call.context,
    labels: call.labels,
    contextLevel: call.inputs.contextLevel ?? CONTEXT_LEVEL,
    flow: call.inputs.flow ?? [],
    // The check `approval` came before: a call with a high-water mark above the sensitivity has its approval.
    flowApproved: true,
    needs: operation?.needs ?? {},
    sensitivity: version?.sensitivity ?? 'public',
    schema: unenforced ? undefined : operation?.arguments,
  });
  const { denial = renamed(question, filtered), outbound } = filtered;
  if (denial !== undefined) return fail(denial.reason, denial.evidence, { filtered });
  const redactions = outbound.redactions.reduce((sum, { count }) => sum + count, 0);
  const counts = { items: call.contextItems, refusals: outbound.refusals.length };
  return pass(redactions === 0 ? counts : { ...counts, redactions }, { filtered });
}

/** Why the call is denied, if the filter took out or changed the name of the thing to use. */
function renamed(question: Question, { outbound }: FilterResult): Denial | undefined {
  const sent = outbound.arguments;
  const [error] = sent === question.call.arguments ? [] : namedErrors(question, sent);
  if (error === undefined) return undefined;
  const path = `/arguments${error.path}`;
  const type = outbound.redactions.find((each) => each.path === path)?.type;
  const refusal = outbound.refusals.find((each) => each.path === path);
  return { reason: refusal?.reason ?? reasonOf(type), evidence: defined({ path, type }) };
}

/** No broker exists yet: no credential is issued, and the evidence says so. */
export function credential(_question: Question): CheckResult {
  return pass({ issued: false });
}
