import { randomUUID } from 'node:crypto';
import { contentDigestOf } from '../calls/approvals.js';
import type { ApprovalRequested, DecisionInputs } from '../calls/events.js';
import type { AskedApproval } from '../contract/calls.js';
import type { Call } from '../decision/call.js';
import type { Decision } from '../decision/decide.js';
import type { Snapshot } from '../decision/snapshot.js';
import { defined } from '../kernel/defined.js';
import { toInstant, toMs } from '../kernel/time.js';
import type { AttemptInTask } from './attempt.js';
import type { ApprovalTerms, DecisionPoint } from './decision-point.js';
import { effectsOf } from './record-decision.js';

/** The call as of now, with the host's word that a client approved it, if the word counts. */
export function callNow({ time, approvals }: DecisionPoint, { attempt, lane }: AttemptInTask): Call {
  const { call, request } = attempt;
  const now = { ...call, decidedAt: time.now() };
  const at = request.approval?.at;
  const version = versionOf(now, lane);
  if (at === undefined || version === undefined || !isFresh(toMs(at), toMs(now.decidedAt), approvals)) return now;
  const clientApproval = { at, contentDigest: contentDigestOf(lane.key, { ...now, version }) };
  return { ...now, inputs: { ...now.inputs, clientApproval } satisfies DecisionInputs };
}

/** A word is not from the future, and no older than an approval may be. */
const isFresh = (atMs: number, nowMs: number, { goodForMs, skewMs }: ApprovalTerms): boolean =>
  atMs <= nowMs + skewMs && nowMs - atMs < goodForMs;

const versionOf = ({ version, capability }: Call, { task }: AttemptInTask['lane']): string | undefined =>
  version ?? task.pins.get(capability)?.version;

/** The request for an approval, if a deny needs one that nobody has asked for. */
export function newRequest(
  { approvals }: DecisionPoint,
  { lane }: AttemptInTask,
  snapshot: Snapshot,
  call: Call,
  decision: Decision,
): ApprovalRequested | undefined {
  const { need, approval, version } = decision;
  if (need === undefined || approval !== undefined || version === undefined) return undefined;
  const { by: grade, why, rule } = need;
  const { callId, taskId, capability, operation, decidedAt } = call;
  return defined({
    approvalId: randomUUID(),
    callId,
    taskId,
    capability,
    version,
    operation,
    effects: effectsOf(snapshot, call, decision) ?? [],
    contentDigest: contentDigestOf(lane.key, { ...call, version }),
    grade,
    why: [...why],
    rule,
    expiresAt: toInstant(toMs(decidedAt) + approvals.goodForMs),
  });
}

/** The approval that a deny waits for or was refused by, as its host sees it. A request for a higher grade is reused. */
export function askedApproval(
  { approvals: { publicUrl } }: DecisionPoint,
  { lane }: AttemptInTask,
  { reason, need, approval: known = '' }: Pick<Decision, 'reason' | 'need' | 'approval'>,
  requested: ApprovalRequested | undefined,
): AskedApproval | undefined {
  const asked = requested ?? lane.calls.approvals.byId.get(known)?.requested;
  if (need === undefined || asked === undefined) return undefined;
  return shownApproval(publicUrl, asked, reason === 'approval_denied' ? 'denied' : 'pending');
}

/** The approval that an allow rests on. A client's word that came without a request has none. */
export function usedApproval(
  { approvals: { publicUrl } }: DecisionPoint,
  { lane }: AttemptInTask,
  { decision, approval = '' }: Pick<Decision, 'decision' | 'approval'>,
): AskedApproval | undefined {
  const asked = decision === 'allow' ? lane.calls.approvals.byId.get(approval)?.requested : undefined;
  return asked && shownApproval(publicUrl, asked, 'used');
}

function shownApproval(
  publicUrl: string | undefined,
  { approvalId: id, grade: by, why, expiresAt }: ApprovalRequested,
  state: AskedApproval['state'],
): AskedApproval {
  const url = publicUrl === undefined ? undefined : `${publicUrl}/v1/approvals/${id}`;
  return defined({ id, state, by, why, url, expiresAt });
}
