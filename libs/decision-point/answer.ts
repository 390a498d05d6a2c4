import type { Attempted } from '../calls/decider.js';
import type { AuthorizeRequest, ContextItem } from '../calls/requests.js';
import type { Check } from '../decision/check.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
import type { Instant } from '../kernel/time.js';
import type { ReasonCode } from '../vocabulary/words.js';

/** The only thing that may be sent to the server. */
export interface Outbound {
  readonly arguments: JsonObject;
  readonly context: readonly ContextItem[];
  readonly redactions: readonly { path: JsonPointer; type: string; count: number }[];
  readonly refusals: readonly { path: JsonPointer; reason: ReasonCode }[];
}

/** The answer to an authorize request (`contract.md`, Calls). */
export interface AuthorizeAnswer {
  readonly callId: string;
  readonly taskId: string;
  readonly traceId: string;
  readonly decision: 'allow' | 'deny';
  readonly reason: 'ok' | ReasonCode;
  readonly rule?: string;
  readonly capability: string;
  readonly version?: string;
  readonly operation: string;
  readonly checks: readonly Check[];
  readonly outbound?: Outbound;
  readonly targets?: readonly string[];
  readonly obligations: readonly string[];
  readonly epoch: number;
  readonly leaseMs: number;
  readonly expiresAt?: Instant;
  readonly position: string;
}

/** Spells a recorded decision out for the host that asked. `checks` are shown as they come, with what evidence they have. */
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
  },
): AuthorizeAnswer {
  const { callId, taskId, decision, reason, rule, capability, version, operation, basis, expiresAt } = decided;
  const allowed = decision === 'allow';
  return defined({
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

/** Fail-closed until content can be filtered: the arguments have their schema, and every context item is refused. */
export function outboundOf(argumentsObject: JsonObject, contextItems: number): Outbound {
  const refusals = Array.from({ length: contextItems }, (_, index) => ({
    path: pointerTo('context', index),
    reason: 'context_not_needed' as const,
  }));
  return { arguments: argumentsObject, context: [], redactions: [], refusals };
}
