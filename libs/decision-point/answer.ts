import type { Attempted } from '../calls/decider.js';
import type { AuthorizeRequest } from '../calls/requests.js';
import type { AskedApproval, AuthorizeAnswer, Outbound } from '../contract/calls.js';
import type { Check } from '../decision/check.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { pointerTo } from '../kernel/pointer.js';
import { defined } from '../kernel/defined.js';

/**
 * Spells a recorded decision out for the host that asked. `checks` are shown as given, with the evidence they carry.
 */
export function answerOf(
  request: Pick<AuthorizeRequest, 'arguments' | 'context'>,
  decided: Attempted,
  more: {
    readonly traceId: string;
    readonly checks: readonly Check[];
    readonly obligations: readonly string[];
    readonly targets: readonly string[];
    readonly leaseMs: number;
    readonly position: bigint;
    readonly approval?: AskedApproval | undefined;
  },
): AuthorizeAnswer {
  const { callId, taskId, decision, reason, rule, capability, version, operation, basis, expiresAt } = decided;
  const allowed = decision === 'allow';
  return defined({
    approval: more.approval,
    callId,
    taskId,
    traceId: more.traceId,
    decision,
    reason,
    rule,
    capability,
    version,
    operation,
    checks: more.checks,
    outbound: allowed ? outboundOf(request.arguments, request.context?.length ?? 0) : undefined,
    targets: allowed ? more.targets : undefined,
    obligations: more.obligations,
    epoch: basis['directives'] ?? 0,
    leaseMs: more.leaseMs,
    expiresAt,
    position: String(more.position),
  });
}

/** Fails closed until content can be filtered: the arguments match their schema, and every context item is refused. */
export function outboundOf(argumentsObject: JsonObject, contextItems: number): Outbound {
  const refusals = Array.from({ length: contextItems }, (_, index) => ({
    path: pointerTo('context', index),
    reason: 'context_not_needed' as const,
  }));
  return { arguments: argumentsObject, context: [], redactions: [], refusals };
}
