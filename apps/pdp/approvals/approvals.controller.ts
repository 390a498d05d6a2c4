import { Controller, Inject } from '@nestjs/common';
import { CallIndex } from '../../../libs/audit/index/call-index.js';
import { decideApproval, getApproval, listApprovals, type ApprovalView } from '../../../libs/contract/approvals.js';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import { LogTime } from '../../../libs/control/log-time.js';
import { Approver } from '../../../libs/decision-point/approver.js';
import { toMs } from '../../../libs/kernel/time.js';
import { EvidenceReads } from '../../../libs/retention/evidence-reads.js';
import { AuditThread } from '../audit/thread/audit-thread.js';
import type { Principal } from '../edge/access.js';
import type { Asked } from '../edge/asked.js';
import { Problem, unwrap } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { ApprovalWaits } from './approval-waits.js';

const asWritten = (bytes: Uint8Array): Uint8Array => bytes;

/** Approvals of calls. The thread for auditors reads them, and the decision point records the verdicts. */
@Controller()
export class ApprovalsController {
  constructor(
    @Inject(AuditThread) private readonly thread: AuditThread,
    @Inject(CallIndex) private readonly index: CallIndex,
    @Inject(Approver) private readonly approver: Approver,
    @Inject(ApprovalWaits) private readonly waits: ApprovalWaits,
    @Inject(LogTime) private readonly time: LogTime,
    @Inject(EvidenceReads) private readonly reads: EvidenceReads,
  ) {}

  @Handles(listApprovals, asWritten)
  async list({ caller, query, page }: Asked<typeof listApprovals>): Promise<Uint8Array> {
    const [stamp, now] = [await this.index.stamp(), this.time.now()];
    const asked = { ...query, shows: shownTo(caller) };
    const { bytes } = await this.thread.ask(caller.name, { kind: 'approvals', query: asked, now, page, stamp });
    if (bytes === undefined) throw new TypeError('a list without an answer');
    return bytes;
  }

  @Handles(getApproval)
  async get({ caller, params: { id }, query: { waitMs = 0 } }: Asked<typeof getApproval>): Promise<ApprovalView> {
    const shown = await this.shown(caller, id);
    if (shown.state !== 'pending' || waitMs === 0) return shown;
    const leftMs = Math.max(0, toMs(shown.expiresAt) - toMs(this.time.now()));
    await this.waits.wait(caller.name, id, Math.min(waitMs, leftMs), async () => {
      const { state } = await this.shown(caller, id);
      return state !== 'pending';
    });
    return this.shown(caller, id);
  }

  @Handles(decideApproval)
  async decide({
    caller,
    params: { id },
    body,
  }: Asked<typeof decideApproval>): Promise<AnswerOf<typeof decideApproval>> {
    await this.index.asOf();
    const { approvals } = await this.index.approvals({ id, atMs: 0 }, 1);
    const [found] = approvals;
    if (found === undefined) throw nothing();
    const asked = { taskId: found.taskId, approvalId: id, caller, ...body };
    const { state, position } = unwrap(await this.approver.decide(asked));
    return { id, state, position: String(position) };
  }

  /** An approval as the caller may see it. A host sees those of its own tasks. */
  private async shown(caller: Principal, id: string): Promise<ApprovalView> {
    const [stamp, now] = [await this.index.stamp(), this.time.now()];
    const shows = shownTo(caller);
    const page = { limit: 1, cursor: undefined };
    const { bytes } = await this.thread.ask(caller.name, { kind: 'approvals', query: { id, shows }, now, page, stamp });
    const { items } = JSON.parse(Buffer.from(bytes ?? '{}').toString()) as {
      items?: (ApprovalView | { damaged: true })[];
    };
    const [found] = items ?? [];
    if (found === undefined) throw nothing();
    if ('damaged' in found) throw new Problem('evidence_damaged', 'the record of the approval is damaged');
    if (!seesAll(caller) && found.host !== caller.name) throw nothing();
    if (shows === 'content') await this.reads.note(caller.name, { operation: getApproval.id, query: `id=${id}` });
    return found;
  }
}

const seesAll = ({ roles }: Principal): boolean => roles.includes('approver') || roles.includes('auditor');

const shownTo = ({ roles }: Principal): 'content' | 'facts' => (roles.includes('approver') ? 'content' : 'facts');

const nothing = (): Problem => new Problem('not_found', 'no such approval');
