import { approvalStatus, type Approval } from '../calls/approvals.js';
import { callsDecider } from '../calls/decider.js';
import { recordableText } from '../content/detect/recordable-text.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import type { Batch } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { inOneTurn } from '../kernel/synchronous.js';
import { taskStatus } from '../task/decider.js';
import { sealFact } from '../streams/facts.js';
import type { ApprovalGrade, ApprovalStatus, ApprovalVerdict } from '../vocabulary/words.js';
import type { DecisionPoint } from './decision-point.js';
import type { TaskLane } from './task-lane.js';

const MAX_TRIES = 20;

/** A verdict on an approval. */
export interface ApprovalToDecide {
  readonly taskId: string;
  readonly approvalId: string;
  readonly caller: Caller;
  readonly verdict: ApprovalVerdict;
  readonly reason?: string | undefined;
}

export interface DecidedApproval {
  readonly state: ApprovalStatus;
  readonly position: bigint;
}

/** Records the verdicts of approvers. */
export class Approver {
  /** Called with the id of each approval that was decided here. */
  onDecided: (approvalId: string) => void = () => undefined;

  constructor(private readonly point: Pick<DecisionPoint, 'lanes' | 'view' | 'time'>) {}

  /**
   * Decides an approval. The same verdict again answers what is recorded. Refuses `forbidden` if the approver is not the
   * human that is asked for, `invalid_transition` if the approval is no longer pending or its task has ended.
   */
  async decide(asked: ApprovalToDecide): Promise<Result<DecidedApproval, Refusal>> {
    const { lanes, time } = this.point;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const lane = await lanes.get(asked.taskId);
      if (lane === undefined) return err(refusal('not_found', 'no such approval'));
      if (lane.givenUp) continue;
      const planned = inOneTurn(() => this.batchOf(lane, asked));
      if (!planned.ok) return planned;
      const isNews = planned.value.writes.length > 0;
      const position = await (isNews ? lanes.commit(lane, planned.value) : lanes.confirm(lane, planned.value.checks));
      if (position === undefined) continue;
      if (isNews) this.onDecided(asked.approvalId);
      const approval = lane.calls.approvals.byId.get(asked.approvalId);
      return ok({ state: approval === undefined ? asked.verdict : approvalStatus(approval, time.now()), position });
    }
    return err(refusal('revision_conflict', 'the task is too busy; try again'));
  }

  /** The batch that records the verdict. It is empty if the same verdict is recorded already. */
  private batchOf(lane: TaskLane, { approvalId, caller, verdict, reason }: ApprovalToDecide): Result<Batch, Refusal> {
    const { view, time } = this.point;
    const precondition = callerPrecondition(view, caller);
    if (!precondition.ok) return precondition;
    const approval = lane.calls.approvals.byId.get(approvalId);
    if (approval === undefined) return err(refusal('not_found', 'no such approval'));
    const { callId, taskId } = approval.requested;
    const grade = gradeOf(lane, view.principal(caller.name).state?.user);
    const wrong = wrongHuman(lane, approval, caller.name, verdict, grade);
    if (wrong !== undefined) return err(wrong);
    const now = time.now();
    const decided = defined({ approvalId, callId, taskId, verdict, grade, reason: reason && recordableText(reason) });
    const facts = callsDecider.decide({ type: 'decide-approval', decided, actor: caller.name, time: now }, lane.calls);
    if (!facts.ok) return facts;
    const status = taskStatus(lane.task, now);
    if (facts.value.length > 0 && status !== 'open')
      return err(refusal('invalid_transition', `the task of the approval is ${status}`));
    const { callsStream: stream, calls } = lane;
    const links = { traceId: lane.task.traceId, correlationId: callId };
    const events = facts.value.map((fact) => sealFact(stream, calls.revision + 1, fact, links));
    const task = { stream: lane.taskStream, expected: lane.taskRevision };
    return ok({
      writes: events.length === 0 ? [] : [{ stream, expected: calls.revision, events }],
      checks: events.length === 0 ? precondition.value : [...precondition.value, task],
    });
  }
}

/** The relation of an approver to a task. The id of the task's user is content, so no event can tell. */
function gradeOf({ task, content }: TaskLane, user: string | undefined): ApprovalGrade | undefined {
  if (user === undefined) return undefined;
  return user === (content.userId ?? task.user.id) ? 'user' : 'other';
}

/** Why this approver may not decide. Any approver may deny, except the host itself: a denial needs no special human. */
function wrongHuman(
  { task }: TaskLane,
  { requested: { grade: needed } }: Approval,
  name: string,
  verdict: ApprovalVerdict,
  grade: ApprovalGrade | undefined,
): Refusal | undefined {
  if (name === task.host) return refusal('forbidden', 'the host of the task cannot decide its own approval');
  if (verdict === 'denied' || needed === 'client' || grade === needed) return undefined;
  const wanted = needed === 'user' ? "the task's user" : "a user other than the task's";
  const found = grade === undefined ? 'has no user' : grade === 'user' ? "is the task's user" : 'is another user';
  return refusal('forbidden', `the approval needs a principal of ${wanted}, and this one ${found}`);
}
