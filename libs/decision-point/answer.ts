import type { Attempted } from '../calls/decider.js';
import type { AuthorizeRequest } from '../calls/requests.js';
import type { AskedApproval, AuthorizeAnswer, Outbound } from '../contract/calls.js';
import type { FilterResult } from '../content/filter/shapes.js';
import type { Check } from '../decision/check.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { pointerTo } from '../kernel/pointer.js';
import { defined } from '../kernel/defined.js';

/**
 * Spells a recorded decision out for the host that asked. `checks` are shown as given, with the evidence they carry.
 */
export function answerOf(
  request: Pick<AuthorizeRequest, 'context'>,
  decided: Attempted,
  more: {
    readonly traceId: string;
    readonly checks: readonly Check[];
    readonly obligations: readonly string[];
    readonly targets: readonly string[];
    readonly filtered?: FilterResult | undefined;
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
    outbound: allowed ? outboundOf(more.filtered, request.context?.length ?? 0) : undefined,
    targets: allowed ? more.targets : undefined,
    obligations: more.obligations,
    epoch: basis['directives'] ?? 0,
    leaseMs: more.leaseMs,
    expiresAt,
    position: String(more.position),
  });
}

/**
 * The content that may be sent: the filter left it. If the filter did not run, as for `$connect`, no argument and no context item is sent.
 */
export function outboundOf(filtered: FilterResult | undefined, contextItems: number): Outbound {
  return filtered?.outbound ?? { ...NOTHING, refusals: allRefused(contextItems) };
}

/** The outbound of deciders 1 and 2: the arguments as they were, and no context item. */
export function unfilteredOutbound(argumentsObject: JsonObject, contextItems: number): Outbound {
  return { ...NOTHING, arguments: argumentsObject, refusals: allRefused(contextItems) };
}

const NOTHING = { arguments: {}, context: [], redactions: [], labels: [] };

const allRefused = (contextItems: number): Outbound['refusals'] =>
  Array.from({ length: contextItems }, (_, index) => ({
    path: pointerTo('context', index),
    reason: 'context_not_needed',
  }));
