import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { isJsonObject } from '../../kernel/canonical-json.js';
import { defined } from '../../kernel/defined.js';
import { getApproval } from '../../contract/approvals.js';
import { authorizeCall, recordOutcome, validateResponse } from '../../contract/calls.js';
import { acknowledgeDirectives, feedKeys, listDirectives } from '../../contract/directives.js';
import { pathOf, type AskedOf, type Method, type Operation } from '../../contract/operation.js';
import type { ProblemCode } from '../../contract/problem.js';
import type { Given } from '../../contract/shape.js';
import { getVersion, observeVersion } from '../../contract/registry.js';
import { getResponse } from '../../contract/responses.js';
import { closeTask, getTask, openTask } from '../../contract/tasks.js';
import { Approval, Decision, RegisteredVersion, Task, Validated } from './answers.js';

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
  readonly method: Method;
  readonly path: string;
  readonly body?: object;
  /** `Service/Method`; absent if only HTTP has the question. */
  readonly rpc?: string;
  readonly message?: object;
  readonly traceparent?: string | undefined;
}

/** Resolves with the JSON object of a success. Rejects with `ServiceError`. */
export type Ask = (question: Question, signal: AbortSignal) => Promise<unknown>;

export type OpenTask = Given<typeof openTask.body>;
/** The client adds the id of its instance. */
export type Authorize = Omit<Given<typeof authorizeCall.body>, 'instanceId'>;
export type Observed = Authorize['observed'];
export type Probe = NonNullable<Observed['probe']>;
/** The proof of identity that the host saw of the server. */
export type ServerEvidence = Observed['server'];
export type Outcome = Omit<Given<typeof recordOutcome.body>, 'taskId'>;
/** How a host states that it has applied an epoch; also sent as a sign of life. */
export type Acknowledgement = Given<typeof acknowledgeDirectives.body>;

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
  validateResponse(callId: string, response: Given<typeof validateResponse.body>): Promise<Validated>;
  /** The recorded response of a call: with content once a held one was released. */
  response(callId: string, taskId: string): Promise<Validated>;
  recordOutcome(callId: string, outcome: Outcome & { readonly taskId: string }): Promise<void>;
  /** An approval of the host's own; the answer may wait for its decision, at most 25,000 milliseconds. */
  approval(id: string, waitMs?: number): Promise<Approval>;
  /** The pinned version of a capability as it is registered. */
  version(capability: string, version: string): Promise<RegisteredVersion>;
  /** Hands in what a server declares now. */
  observe(capability: string, version: string, seen: Given<typeof observeVersion.body>): Promise<void>;
  /** The service's feed keys (RFC 7517); over HTTP only. */
  keys(): Promise<unknown>;
}

/** After these codes the question may be repeated: nothing was done, or doing it twice changes nothing. */
const AGAIN: ReadonlySet<string> = new Set<ProblemCode | 'unreachable'>([
  'unreachable',
  'overloaded',
  'log_unavailable',
  'outcome_unknown',
  'view_stale',
]);
const ACK_REFUSED: ProblemCode = 'ack_refused';
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
  const send = async <Shape extends z.ZodType>(
    shape: Shape,
    question: Question,
    limitMs = timeoutMs,
  ): Promise<z.infer<Shape>> => {
    const parsed = shape.safeParse(await repeated(ask, question, AbortSignal.timeout(limitMs)));
    if (!parsed.success) throw new ServiceError('unintelligible', 'the answer is not in the shape of the contract');
    return parsed.data;
  };

  return {
    openTask({ taskId = randomUUID(), ...task }) {
      // Over HTTP the answer does not repeat the scope. The service refuses a scope that cannot be read.
      const scope = Task.shape.scope.safeParse(task.scope).data ?? [];
      const shape = Task.extend({ scope: Task.shape.scope.default(scope) });
      return send(shape, questionOf(openTask, { body: { taskId, ...task } }));
    },
    getTask: (taskId) => send(Task, questionOf(getTask, { params: { taskId } })),
    async closeTask(taskId, reason) {
      await send(ANY, questionOf(closeTask, { params: { taskId }, body: defined({ reason }) }));
    },
    async authorize(call, traceparent) {
      const question = questionOf(authorizeCall, { body: { ...call, instanceId } });
      const decision = await send(Decision, { ...question, traceparent });
      // The service answers ids in lower case.
      if (decision.callId !== call.callId.toLowerCase())
        throw new ServiceError('unintelligible', 'the answer is to another call');
      return decision;
    },
    validateResponse: (callId, body) => send(Validated, questionOf(validateResponse, { params: { callId }, body })),
    response: (callId, taskId) => send(Validated, questionOf(getResponse, { params: { callId }, query: { taskId } })),
    async recordOutcome(callId, body) {
      await send(ANY, questionOf(recordOutcome, { params: { callId }, body }));
    },
    approval: (id, waitMs = 0) =>
      send(Approval, questionOf(getApproval, { params: { id }, query: { waitMs } }), waitMs + timeoutMs),
    version: (id, version) => send(RegisteredVersion, questionOf(getVersion, { params: { id, version } })),
    async observe(id, version, { definition, probe, server }) {
      const body = defined({ definition, probe, server });
      await send(ANY, questionOf(observeVersion, { params: { id, version }, body }));
    },
    keys: () => send(ANY, questionOf(feedKeys, {})),
    // These two are not repeated: the follower measures the service's clock with them, and repeats them itself.
    async directives(signal) {
      const beat = await ask(questionOf(listDirectives, { query: { instanceId } }), limited(timeoutMs, signal));
      if (!isJsonObject(beat)) throw new ServiceError('unintelligible', 'the answer is no beat');
      return beat;
    },
    async acknowledge(body, signal) {
      try {
        await ask(questionOf(acknowledgeDirectives, { body }), limited(timeoutMs, signal));
        return true;
      } catch (error) {
        if (error instanceof ServiceError && error.code === ACK_REFUSED) return false;
        throw error;
      }
    },
  };
}

const ANY = z.unknown();

/** An operation as a question. A message of the proto holds the parameters and the members of the body alike. */
function questionOf<const Op extends Operation>(op: Op, asked: AskedOf<Op>): Question {
  const { params, query, body }: Partial<Record<'params' | 'query' | 'body', object>> = asked;
  const search = query === undefined ? '' : `?${new URLSearchParams({ ...query }).toString()}`;
  const path = `${pathOf(op, { ...params })}${search}`;
  return defined({ method: op.method, path, body, rpc: op.rpc, message: { ...params, ...query, ...body } });
}

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
