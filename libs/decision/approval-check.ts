import { approvalStatus, type Approval, type ApprovalUse } from '../calls/approvals.js';
import { ruleText } from '../policy/authority.js';
import { WHOLE_TASK } from '../content/filter/label.js';
import { highest, reaches } from '../vocabulary/grades.js';
import { isAbove } from '../vocabulary/levels.js';
import type { ApprovalCause, ApprovalGrade } from '../vocabulary/words.js';
import type { Call } from './call.js';
import { fail, pass, type ApprovalNeed, type CheckResult, type Question } from './check.js';

/**
 * Check 12: has the right human approved exactly this call? An approval is bound to capability, version, operation,
 * arguments, their stated labels and context, for the reasons that its request names. One allow uses it up. The allow may be given again to its own call while it holds.
 */
export function approval(question: Question): CheckResult {
  const need = needOf(question);
  if (need === undefined) return pass({ required: false });
  const { snapshot, call, versionId = '' } = question;
  const found = snapshot.calls.approvalOf(call, versionId);
  const status = found && approvalStatus(found, call.decidedAt);
  const named = found === undefined ? {} : { approval: found.requested.approvalId };
  const isOver = found !== undefined && call.decidedAt >= found.requested.expiresAt;
  if (status === 'denied' && !isOver) return fail('approval_denied', { ...need }, { ...named, ...ruleOf(need), need });
  const isEnough = found !== undefined && covers(found.requested, need);
  const grant = isEnough ? grantOf(found, need) : undefined;
  if (grant !== undefined && (status === 'granted' || isOwnUse(found?.use, call)))
    return pass({ by: grant.data.grade ?? need.by, why: need.why, ...named, decidedBy: grant.by }, named);
  const waiting = isEnough && status === 'pending' ? named : {};
  const word = need.by === 'client' ? call.inputs.clientApproval : undefined;
  // A word settles only what waits for a word. An approval of a higher grade waits on for its human.
  if (word !== undefined && isFirstUse(snapshot.calls.wordUse(word), call))
    return pass({ required: need.why, by: 'client', at: word.at }, found?.requested.grade === 'client' ? waiting : {});
  return fail('approval_required', { ...need }, { ...waiting, ...ruleOf(need), need, obligation: 'request_approval' });
}

/** Whether a request names every reason: a yes from before a taint knows nothing of it. */
const covers = ({ grade, why }: Approval['requested'], need: ApprovalNeed): boolean =>
  reaches(grade, need.by) && need.why.every((cause) => why.includes(cause));

const ruleOf = ({ rule }: ApprovalNeed) => (rule === undefined ? {} : { rule });

/** The yes of an approver whose own grade is enough. An allow alone proves none: a client's word may be behind it. */
function grantOf({ decided }: Approval, { by }: ApprovalNeed): Approval['decided'] {
  if (decided?.data.verdict !== 'granted') return undefined;
  const { grade } = decided.data;
  return by === 'client' || (grade !== undefined && reaches(grade, by)) ? decided : undefined;
}

/** The allow that used an approval was given to this call, and still holds. */
const isOwnUse = (use: ApprovalUse | undefined, { callId, decidedAt }: Call): boolean =>
  use !== undefined && use.callId === callId && decidedAt < use.until;

const isFirstUse = (use: ApprovalUse | undefined, call: Call): boolean => use === undefined || isOwnUse(use, call);

/** The highest grade that anything asks for, and everything that asks. Undefined if nothing does. */
function needOf(question: Question): ApprovalNeed | undefined {
  const asked = [tainted(question), ofPolicies(question), ofTask(question), ofFlow(question)].filter(
    (each) => each !== undefined,
  );
  const by = highest(asked.map(([grade]) => grade));
  if (by === undefined) return undefined;
  const why = asked.map(([, cause]) => cause);
  const rules = question.authority()?.answer.approval?.rules;
  return rules === undefined ? { by, why } : { by, why, rule: ruleText(rules) };
}

type Asked = readonly [ApprovalGrade, ApprovalCause] | undefined;

/** The task has met instruction-shaped text, which may be behind anything that is not a reading. */
const tainted = ({ snapshot, operation }: Question): Asked =>
  snapshot.calls.taintedAt !== undefined && operation?.effects.some((effect) => effect !== 'read') === true
    ? ['user', 'tainted']
    : undefined;

function ofPolicies({ authority }: Question): Asked {
  const approval = authority()?.answer.approval;
  return approval && [approval.by, 'policy'];
}

function ofTask({ snapshot, operation }: Question): Asked {
  const approve = snapshot.task?.approve;
  return approve !== undefined && operation?.effects.some((effect) => approve.effects.includes(effect)) === true
    ? [approve.by, 'task']
    : undefined;
}

const ARGUMENTS = '/arguments';

/** In `strict` flow the arguments may hold anything that the task has seen. */
function ofFlow({ call, version }: Question): Asked {
  if (version === undefined) return undefined;
  const isTooHigh = call.inputs.flow?.some(
    ({ path, level, source }) =>
      source === WHOLE_TASK && path.startsWith(ARGUMENTS) && isAbove(level, version.sensitivity),
  );
  return isTooHigh === true ? ['other', 'flow'] : undefined;
}
