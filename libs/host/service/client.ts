import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../kernel/canonical-json.js';
import { defined } from '../../kernel/defined.js';
import type { Instant } from '../../kernel/time.js';
import type { ScopeEntry } from '../../task/scope.js';
import type { Effect } from '../../vocabulary/words.js';
import { Decision, RegisteredVersion, Task, Validated } from './answers.js';

/**
 * The service gave no usable answer. `code` is the contract's (`overloaded`, `forbidden`, …), `unreachable` if no answer
 * came in time, or `unintelligible` if the answer is not one of this service.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** One question in both of its forms: `message` goes over gRPC, `body` over HTTP. */
export interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  /** `Service/Method`; absent if only HTTP has the question. */
  readonly rpc?: string;
  readonly message?: object;
  readonly traceparent?: string | undefined;
}

/** Resolves with the JSON object of a success. Rejects with `ServiceError`. */
export type Ask = (question: Question, signal: AbortSignal) => Promise<unknown>;

export interface OpenTask {
  readonly taskId?: string;
  readonly traceId?: string;
  readonly agent: string;
  readonly user: { readonly id: string; readonly roles: readonly string[]; readonly attributes?: object };
  readonly purpose: string;
  readonly scope: readonly ScopeEntry[];
  readonly ttlMs?: number;
}

/** What a host knows of a server's identity: the contract's `ServerEvidence`. */
export interface ServerEvidence {
  readonly method: 'package' | 'tls' | 'spiffe' | 'mtls' | 'oauth-resource' | 'none';
  readonly integrity?: string;
  readonly command?: string;
  readonly url?: string;
  readonly spki?: string;
  readonly id?: string;
  readonly subject?: string;
  readonly resource?: string;
}

export interface Probe {
  readonly protocolVersion: string;
  readonly clientCapabilities: object;
  readonly credentialScope?: string;
}

export interface Observed {
  readonly definitionDigest?: string;
  readonly definition?: object;
  readonly probe?: Probe;
  readonly server: ServerEvidence;
}

export interface Authorize {
  readonly callId: string;
  readonly taskId: string;
  readonly capability: string;
  readonly version?: string;
  readonly operation: string;
  readonly arguments: JsonObject;
  readonly context?: readonly object[];
  readonly observed: Observed;
}

export interface Outcome {
  readonly status: 'succeeded' | 'failed' | 'unknown';
  readonly effect?: { readonly type: Effect; readonly summary?: string; readonly reference?: string };
  readonly control?: { readonly decision: string; readonly by?: string; readonly reason?: string };
}

/** How a host states that it has applied an epoch; also sent as a sign of life. */
export interface Acknowledgement {
  readonly instanceId: string;
  readonly epoch: number;
  readonly stateRoot: string;
  readonly appliedAt: Instant;
}

/** The two questions that a follower of directives asks; each rejects within a bounded time, and at once on abort. */
export interface DirectivesClient {
  /** The snapshot, as it was received. */
  directives(signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
  /** Resolves with false if the service knows another state of that epoch. */
  acknowledge(ack: Acknowledgement, signal?: AbortSignal): Promise<boolean>;
}

/** The questions of a host, the same over HTTP and gRPC. Each rejects with `ServiceError` within the time limit. */
export interface HostClient extends DirectivesClient {
  openTask(task: OpenTask): Promise<Task>;
  getTask(taskId: string): Promise<Task>;
  closeTask(taskId: string, reason?: string): Promise<void>;
  authorize(call: Authorize, traceparent?: string): Promise<Decision>;
  validateResponse(
    callId: string,
    response: { readonly taskId: string; readonly result?: object; readonly error?: object },
  ): Promise<Validated>;
  recordOutcome(callId: string, outcome: Outcome & { readonly taskId: string }): Promise<void>;
  /** The pinned version of a capability as it is registered; over HTTP only. */
  version(capability: string, version: string): Promise<RegisteredVersion>;
  /** Hands in what a server declares now; over HTTP only. */
  observe(capability: string, version: string, observed: Observed): Promise<void>;
  /** The service's feed keys (RFC 7517); over HTTP only. */
  keys(): Promise<unknown>;
}

/** After these codes the question may be repeated: nothing was done, or doing it twice changes nothing. */
const AGAIN = new Set(['unreachable', 'overloaded', 'log_unavailable', 'outcome_unknown', 'view_stale']);
const WAITS_MS = [50, 250];

export interface ClientOptions {
  readonly instanceId: string;
  /** Milliseconds for each question, repeats included. */
  readonly timeoutMs?: number;
}

/**
 * A client over HTTP or gRPC. Each question carries the id of what it makes (task, call), so that a question without an
 * answer is repeated, at most twice, and nothing is done twice.
 */
export function createClient(ask: Ask, { instanceId, timeoutMs = 5000 }: ClientOptions): HostClient {
  const send = async <Shape extends z.ZodType>(shape: Shape, question: Question): Promise<z.infer<Shape>> => {
    const parsed = shape.safeParse(await repeated(ask, question, AbortSignal.timeout(timeoutMs)));
    if (!parsed.success) throw new ServiceError('unintelligible', 'the answer is not in the shape of the contract');
    return parsed.data;
  };

  return {
    openTask(task) {
      const body = { taskId: randomUUID(), ...task };
      const question = { method: 'POST', path: path('tasks'), body, rpc: 'Tasks/Open', message: body } as const;
      return send(Task.extend({ scope: Task.shape.scope.default([...task.scope]) }), question);
    },
    getTask: (taskId) =>
      send(Task, { method: 'GET', path: path('tasks', taskId), rpc: 'Tasks/Get', message: { taskId } }),
    async closeTask(taskId, reason) {
      const body = reason === undefined ? {} : { reason };
      const message = { taskId, ...body };
      await send(ANY, { method: 'POST', path: path('tasks', taskId, 'close'), body, rpc: 'Tasks/Close', message });
    },
    async authorize(call, traceparent) {
      const body = { ...call, instanceId };
      const question = { method: 'POST', path: path('calls', 'authorize'), body, message: body } as const;
      const decision = await send(Decision, { ...question, rpc: 'Decisions/Authorize', traceparent });
      // The service answers ids in lower case.
      if (decision.callId !== call.callId.toLowerCase())
        throw new ServiceError('unintelligible', 'the answer is to another call');
      return decision;
    },
    validateResponse(callId, body) {
      const question = { method: 'POST', path: path('calls', callId, 'response'), body } as const;
      return send(Validated, { ...question, rpc: 'Decisions/ValidateResponse', message: { callId, ...body } });
    },
    async recordOutcome(callId, body) {
      const question = { method: 'POST', path: path('calls', callId, 'outcome'), body } as const;
      await send(ANY, { ...question, rpc: 'Decisions/RecordOutcome', message: { callId, ...body } });
    },
    version: (capability, version) =>
      send(RegisteredVersion, { method: 'GET', path: path('capabilities', capability, 'versions', version) }),
    async observe(capability, version, { definition, probe, server }) {
      const body = defined({ definition, probe, server });
      const where = path('capabilities', capability, 'versions', version, 'observations');
      await send(ANY, { method: 'POST', path: where, body });
    },
    keys: () => send(ANY, { method: 'GET', path: '/.well-known/jwks.json' }),
    // These two are not repeated: the follower measures the service's clock with them, and repeats them itself.
    async directives(signal) {
      const where = `${path('directives')}?instanceId=${instanceId}`;
      const question = { method: 'GET', path: where, rpc: 'Directives/List', message: { instanceId } } as const;
      const beat = await ask(question, limited(timeoutMs, signal));
      if (!isJsonObject(beat)) throw new ServiceError('unintelligible', 'the answer is no beat');
      return beat;
    },
    async acknowledge(body, signal) {
      const question = { method: 'POST', path: path('directives', 'acks'), body, message: body } as const;
      try {
        await ask({ ...question, rpc: 'Directives/Acknowledge' }, limited(timeoutMs, signal));
        return true;
      } catch (error) {
        if (error instanceof ServiceError && error.code === 'ack_refused') return false;
        throw error;
      }
    },
  };
}

const ANY = z.unknown();

const path = (...segments: readonly string[]): string => `/v1/${segments.map(encodeURIComponent).join('/')}`;

function limited(timeoutMs: number, signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? limit : AbortSignal.any([limit, signal]);
}

async function repeated(ask: Ask, question: Question, signal: AbortSignal): Promise<unknown> {
  for (const waitMs of WAITS_MS) {
    try {
      return await ask(question, signal);
    } catch (error) {
      if (!(error instanceof ServiceError) || !AGAIN.has(error.code) || signal.aborted) throw error;
      await delay(waitMs * (0.5 + Math.random()));
    }
  }
  return ask(question, signal);
}
