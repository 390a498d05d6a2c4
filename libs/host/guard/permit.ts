import type { JsonObject } from '../../kernel/canonical-json.js';
import { defined } from '../../kernel/defined.js';
import { traceparentIn } from '../../mcp/exchange.js';
import type { Wire } from '../../mcp/intercept.js';
import type { DirectiveFollower } from '../directives/follower.js';
import type { Allow, Task } from '../service/answers.js';
import type { Authorize, HostClient, Observed, ServerEvidence } from '../service/client.js';
import { denialOf } from './denial.js';
import type { Observer } from './observer.js';
import type { Records } from './records.js';
import { CallRefused, refusedBy } from './refusal.js';

/** Prefix of the operations that stand for requests of a server to its host. */
export const CLIENT_PREFIX = 'client:';
/** A server may answer the host only after the host has answered it: then its request waits no longer for the digest. */
const SERVER_REQUEST_DIGEST_MS = 1000;

/** Adds what is known of the server and of the handshake to a definition or its digest. */
export type Evidence = (seen: Pick<Observed, 'definition' | 'definitionDigest'>) => Observed;

export const evidenceFrom =
  (
    wire: Pick<Wire, 'protocolVersion' | 'clientCapabilities'>,
    server: ServerEvidence,
    credentialScope: string | undefined,
  ): Evidence =>
  (seen) => {
    const { protocolVersion, clientCapabilities } = wire;
    if (protocolVersion === undefined || clientCapabilities === undefined) return { ...seen, server };
    return { ...seen, probe: defined({ protocolVersion, clientCapabilities, credentialScope }), server };
  };

export interface PermitParts {
  readonly client: Pick<HostClient, 'authorize'>;
  readonly follower: Pick<DirectiveFollower, 'stale' | 'isVoid' | 'serviceMs'>;
  readonly task: Pick<Task, 'taskId' | 'traceId'>;
  readonly capability: string;
  readonly evidence: Evidence;
  readonly observer: Observer;
  readonly records: Records;
  /** Aborted when the guard is closed: from then on nothing is permitted. */
  readonly closing: AbortSignal;
}

/** One question to the service. `seen` replaces the digest that the observer knows. */
export interface PermitRequest {
  readonly callId: string;
  readonly operation: string;
  readonly arguments: JsonObject;
  readonly context?: Authorize['context'];
  readonly labels?: Authorize['labels'];
  readonly approval?: Authorize['approval'];
  readonly seen?: Observed;
}

/** Resolves with an allow that still holds on this host. Rejects with `CallRefused`. */
export type Permit = (request: PermitRequest) => Promise<Allow>;

export const permitFrom =
  (parts: PermitParts): Permit =>
  async (request) => {
    const { callId, operation, arguments: args } = request;
    const { client, task, capability, observer, records } = parts;
    try {
      const stale = staleReason(parts);
      if (stale !== undefined) throw new CallRefused({ reason: 'host_stale', by: 'host', callId, detail: stale });
      const observed = request.seen ?? (await observedFor(operation, parts));
      const { context, labels, approval } = request;
      const asked = defined({ arguments: args, context, labels, approval });
      const call = { callId, taskId: task.taskId, capability, operation, ...asked, observed };
      const decision = await client.authorize(call, traceparentIn(task.traceId));
      if (decision.decision === 'deny') {
        if (decision.obligations.includes('submit_definition')) observer.again('submit');
        throw new CallRefused(denialOf(decision, callId));
      }
      const reason = changedSince(decision, parts);
      if (reason === undefined) return decision;
      // The service allowed the call, and this host does not make it.
      records.outcome(callId, { status: 'failed', control: { decision: 'not_called', by: 'host', reason } });
      throw new CallRefused({ reason, by: 'host', callId });
    } catch (error) {
      throw refusedBy(error, callId);
    }
  };

const staleReason = ({ closing, follower }: PermitParts) => (closing.aborted ? 'closed' : follower.stale());

async function observedFor(operation: string, { observer, evidence }: PermitParts): Promise<Observed> {
  const isServerRequest = operation.startsWith(CLIENT_PREFIX);
  const definitionDigest = await observer.digest(isServerRequest ? SERVER_REQUEST_DIGEST_MS : undefined);
  return evidence(defined({ definitionDigest }));
}

/** Why an allow no longer holds: what has happened on this host since the service decided. */
function changedSince(allow: Allow, parts: PermitParts): 'host_stale' | 'disabled' | 'expired' | undefined {
  if (staleReason(parts) !== undefined) return 'host_stale';
  if (parts.follower.isVoid(allow)) return 'disabled';
  return Date.parse(allow.expiresAt) <= parts.follower.serviceMs() ? 'expired' : undefined;
}
