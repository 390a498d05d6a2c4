import { z } from 'zod';
import { ContextItem } from '../calls/requests.js';
import { TaskStatus } from '../task/decider.js';
import { FreeObject, InstantText, NameId, Reason, Uuid } from '../vocabulary/ids.js';
import {
  ApprovalCause,
  ApprovalGrade,
  ApprovalStatus,
  ApprovalVerdict,
  Effect,
  ReasonCode,
} from '../vocabulary/words.js';
import { AUDIT_PAGE } from './audit.js';
import { Outbound } from './calls.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { pageOf, Position, WaitMs } from './shapes.js';
import { NoContent } from './tasks.js';

const HeldBack = Outbound.pick({ redactions: true, refusals: true }).extend({
  denied: ReasonCode.optional().describe('The filter would deny the call, with this reason.'),
});
export type HeldBack = Shape<typeof HeldBack>;

export const ApprovalView = named(
  'Approval',
  z.object({
    id: Uuid,
    taskId: z.string(),
    traceId: z.string(),
    callId: z.string().describe('The call that was denied for want of the approval.'),
    host: z.string(),
    agent: z.string(),
    user: z.string().describe('The user of the task, on the word of the host. If the user was erased, the pseudonym.'),
    capability: z.string(),
    version: z.string(),
    operation: z.string(),
    effects: z.array(Effect),
    by: ApprovalGrade.describe('Who must approve: the client, the user of the task, or somebody else.'),
    why: z.array(ApprovalCause),
    rule: z.string().optional().describe('The policies that ask for it.'),
    arguments: z
      .union([FreeObject, NoContent])
      .optional()
      .describe('The arguments of the request, for an approver alone. If they are gone, the reason.'),
    context: z
      .union([z.array(ContextItem), NoContent])
      .optional()
      .describe('The context items of the request, for an approver alone.'),
    outbound: z
      .union([HeldBack, NoContent])
      .optional()
      .describe('The work of the filter on this request, for an approver alone: what would not be sent.'),
    taskStatus: TaskStatus.describe('Of the task. A call of a task that has ended is not made, granted or not.'),
    requestedAt: InstantText,
    expiresAt: InstantText,
    state: ApprovalStatus,
    decidedBy: z.string().optional().describe('The principal that decided.'),
    decidedAt: InstantText.optional(),
    reason: z.string().optional(),
  }),
  { description: 'An approval that a call needs. It counts for exactly this content, and for one allow.' },
);
export type ApprovalView = Shape<typeof ApprovalView>;

export const ApprovalQuery = z.object({
  state: ApprovalStatus.optional(),
  task: Uuid.optional(),
  capability: NameId.optional(),
});
export type ApprovalQuery = z.infer<typeof ApprovalQuery>;

const OfApproval = z.object({ id: Uuid });

export const listApprovals = operation({
  id: 'listApprovals',
  tag: 'approvals',
  summary: 'List approvals',
  description:
    'The newest first. Only an approver sees the content of the call. A page ends before it is too large, so it may hold ' +
    'fewer than `limit`.',
  method: 'GET',
  path: '/v1/approvals',
  roles: ['approver', 'auditor'],
  admission: 'audits',
  query: ApprovalQuery,
  paging: AUDIT_PAGE,
  answers: { 200: pageOf(ApprovalView) },
});

export const getApproval = operation({
  id: 'getApproval',
  tag: 'approvals',
  summary: 'Get an approval, or wait for its decision',
  description: 'A host sees the approvals of its own tasks, without content. Another host gets `not_found`.',
  method: 'GET',
  path: '/v1/approvals/{id}',
  rpc: 'Approvals/Get',
  roles: ['host', 'approver', 'auditor'],
  params: OfApproval,
  query: z.object({ waitMs: WaitMs.describe('How long the answer may wait while the approval is pending.') }),
  answers: { 200: ApprovalView },
});

export const decideApproval = operation({
  id: 'decideApproval',
  tag: 'approvals',
  summary: 'Grant or deny an approval',
  description:
    "A grant needs the human that the approval asks for: the principal of the task's user, or of another user. The host " +
    'of the task cannot decide. The same verdict again changes nothing.',
  method: 'POST',
  path: '/v1/approvals/{id}/decide',
  roles: ['approver'],
  params: OfApproval,
  body: named('DecideApproval', z.strictObject({ verdict: ApprovalVerdict, reason: Reason.optional() }), {
    examples: [{ verdict: 'granted', reason: 'I asked for this letter' }],
  }),
  answers: {
    200: named('ApprovalDecision', z.object({ id: Uuid, state: ApprovalStatus, position: Position })),
  },
  problems: ['invalid_transition', 'revision_conflict'],
});
