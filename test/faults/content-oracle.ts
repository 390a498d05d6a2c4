import type { ApprovalDecided, ApprovalRequested, CallDecided, ResponseValidated } from '../../libs/calls/events.js';
import type { Event } from '../../libs/event-log/event.js';
import type { ApprovalGrade } from '../../libs/vocabulary/words.js';
import { broken, type Breach, type Oracle, type Subject } from './oracle.js';

interface Approval extends ApprovalRequested {
  decided?: ApprovalDecided;
  usedBy?: string;
}

interface Approve {
  readonly effects: readonly string[];
  readonly by: ApprovalGrade;
}

const RANKS: readonly ApprovalGrade[] = ['client', 'user', 'other'];

/** Judges what the events say of taint, approvals and releases, by the contract alone. Another oracle judges the rest. */
export class ContentOracle {
  private readonly tainted = new Set<string>();
  private readonly approve = new Map<string, Approve>();
  private readonly approvals = new Map<string, Approval>();
  private readonly released = new Set<string>();

  constructor(private readonly oracle: Oracle) {}

  /** Takes the next event, after the other oracle has. */
  take({ type, data, time }: Event): Breach[] {
    switch (type) {
      case 'TaskOpened': {
        const { taskId, approve } = data as { taskId: string; approve?: Approve };
        if (approve !== undefined) this.approve.set(taskId, approve);
        return [];
      }
      case 'ResponseValidated': {
        const { taskId, handling } = data as ResponseValidated;
        if (handling !== undefined) this.tainted.add(taskId);
        return [];
      }
      case 'ApprovalRequested': {
        const requested = data as ApprovalRequested;
        if (this.approvals.has(requested.approvalId)) return [broken('approvals', 'an approval was asked for twice')];
        this.approvals.set(requested.approvalId, { ...requested });
        return [];
      }
      case 'ApprovalDecided':
        return this.decided(data as ApprovalDecided, time);
      case 'CallDecided':
        return (data as CallDecided).decision === 'allow' ? this.allowed(data as CallDecided, time) : [];
      case 'ResponseReleased':
        return this.releases(data as { taskId: string; callId: string });
      default:
        return [];
    }
  }

  /** Whether the host may have the content of a recorded response, unless it was stopped. */
  mayHave(key: string, { verdict, handling }: ResponseValidated): boolean {
    if (verdict !== 'quarantined') return verdict === 'accepted';
    return handling === 'quote' || this.released.has(key);
  }

  private decided(data: ApprovalDecided, time: string): Breach[] {
    const approval = this.approvals.get(data.approvalId);
    if (approval === undefined) return [broken('approvals', 'an approval was decided that nobody asked for')];
    if (approval.decided !== undefined) return [broken('approvals', 'an approval was decided twice')];
    if (time >= approval.expiresAt) return [broken('approvals', 'an approval was decided after its end')];
    if (this.oracle.tasks.get(data.taskId)?.closed === true)
      return [broken('approvals', 'an approval of a closed task was decided')];
    approval.decided = data;
    const isRight = data.verdict === 'denied' || data.grade === approval.grade;
    return isRight ? [] : [broken('approvals', `an approval of ${approval.grade} was granted by ${data.grade}`)];
  }

  private allowed(data: CallDecided, time: string): Breach[] {
    const { taskId, capability, operation, approval: id } = data;
    const version = this.oracle.versions.get(`${capability}@${data.version}`);
    const { effects = [] } = version?.operations[operation] ?? {};
    const approve = this.approve.get(taskId);
    const grades: ApprovalGrade[] = [
      ...(this.tainted.has(taskId) && effects.some((effect) => effect !== 'read') ? (['user'] as const) : []),
      ...(approve !== undefined && effects.some((effect) => approve.effects.includes(effect)) ? [approve.by] : []),
    ];
    const rank = Math.max(-1, ...grades.map((grade) => RANKS.indexOf(grade)));
    const approval = this.approvals.get(id ?? '');
    if (rank < 0)
      return id === undefined ? [] : [broken('approvals', 'an allow used an approval that it did not need')];
    if (approval?.decided?.verdict !== 'granted') return [broken('approvals', 'an allow lacks its approval')];
    if (approval.taskId !== taskId || approval.capability !== capability || approval.operation !== operation)
      return [broken('approvals', 'an allow rests on the approval of another call')];
    if (RANKS.indexOf(approval.decided.grade ?? 'client') < rank)
      return [broken('approvals', 'an allow rests on an approval of a lower grade')];
    if (approval.usedBy !== undefined && approval.usedBy !== data.callId)
      return [broken('approvals', 'an approval was used twice')];
    if (approval.usedBy === undefined && time >= approval.expiresAt)
      return [broken('approvals', 'an approval was used after its end')];
    approval.usedBy = data.callId;
    return [];
  }

  private releases({ taskId, callId }: { taskId: string; callId: string }): Breach[] {
    const key = `${taskId}/${callId}`;
    const { allowed, response } = this.oracle.calls.get(key) ?? {};
    if (response?.verdict !== 'quarantined' || response.handling !== 'hold' || this.released.has(key))
      return [broken('content', 'a response was released that is not held')];
    this.released.add(key);
    if (allowed === undefined || this.oracle.tasks.get(taskId)?.closed === true)
      return [broken('content', 'a response of a closed task was released')];
    return this.oracle.voidEpoch(allowed as Subject) > (allowed.basis['directives'] ?? 0)
      ? [broken('content', 'a response was released although a directive has stopped the call')]
      : [];
  }
}
