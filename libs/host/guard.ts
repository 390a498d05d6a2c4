import { randomUUID } from 'node:crypto';
import { CONNECT, hasReservedPrefix } from '../capability/definition.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Allow, Envelope, Task } from './answers.js';
import { ServiceError, type HostClient, type Observed, type Probe, type ServerEvidence } from './client.js';
import { definitionReader, pinnedFor, type PinnedVersion, type ShownDefinition } from './definition.js';
import { denialOf } from './denial.js';
import { exchangeOver, traceparentIn } from './exchange.js';
import { isProgramming } from './failure.js';
import { flightsUnder, type StopReason } from './flights.js';
import type { Follower } from './follower.js';
import {
  asksForInput,
  tap,
  type McpClient,
  type McpRequest,
  type McpResponse,
  type McpTransport,
  type Wire,
} from './mcp.js';
import { observerOf } from './observer.js';
import { recordsTo } from './records.js';
import { CallRefused, refusedBy, refusedByServer } from './refusal.js';
import { toolRefusal, toolResult, type GuardedToolResult } from './result.js';

export interface GuardOptions<Transport> {
  /** The task on whose behalf all calls are made. */
  readonly task: Task;
  readonly capability: string;
  /** Where the server is. The guard connects the client to it, once it may. */
  readonly transport: Transport;
  /** What proves which server that is, as its registration expects it. */
  readonly server: ServerEvidence;
  readonly credentialScope?: string;
  /** For each request to the server; the SDK's own default where it is absent. */
  readonly requestMs?: number;
  /** How long the answer to a stopped call is waited for, so that it can be handed in. */
  readonly lateMs?: number;
}

export interface CallOptions {
  /** Ends the call from the caller's side. */
  readonly signal?: AbortSignal;
}

/** A capability as an agent may use it: what it is shown is pinned, and each call is decided, quoted and recorded. */
export interface Guarded {
  /** The pinned definition, cut to the task's scope; never the live list. */
  readonly shown: ShownDefinition;
  /** Never rejects: what was refused is a result with `isError` and `refusal`. */
  callTool(
    call: { readonly name: string; readonly arguments?: object },
    options?: CallOptions,
  ): Promise<GuardedToolResult>;
  /** Rejects with `CallRefused`. */
  getPrompt(prompt: { readonly name: string; readonly arguments?: object }, options?: CallOptions): Promise<Envelope>;
  /** Rejects with `CallRefused`. */
  readResource(resource: { readonly uri: string }, options?: CallOptions): Promise<Envelope>;
  /** Stops what runs, closes the client and waits until all of it is recorded. */
  close(): Promise<void>;
}

export interface GuardParts {
  readonly client: HostClient;
  readonly follower: Pick<Follower, 'stale' | 'isVoid' | 'isLeaseOver' | 'serviceMs' | 'onChange'>;
}

const LATE_MS = 5000;
/** Operations of what a server asks of its host. */
const SERVER_ASKS = 'client:';
/** A server may answer what is read of it only after it has been answered itself: then its question is not waited with. */
const ASKED_WAIT_MS = 1000;
const ABORTED = { code: -31_002, message: 'the call was stopped, and no answer came' };

/** What a server gave for one call, after it was validated. */
interface Delivered {
  readonly callId: string;
  readonly envelope: Envelope;
  readonly isError: boolean;
}

/**
 * Puts a guard around an MCP client that is not connected yet. Asks `$connect` before the first byte to the server, and
 * again with the definition that it then declares. From then on the client and its transport send what the guard sends,
 * pings and lists, and nothing else. Rejects with `CallRefused`, and the client is closed; with `TypeError`, and nothing
 * was asked, if the client is connected or the transport has been guarded before.
 */
export async function guard<Transport extends McpTransport>(
  mcp: McpClient<Transport>,
  options: GuardOptions<Transport>,
  { client, follower }: GuardParts,
): Promise<Guarded> {
  const { task, capability, transport, server, credentialScope, requestMs, lateMs = LATE_MS } = options;
  const { taskId } = task;
  if (mcp.transport !== undefined) throw new TypeError('the client is connected: the guard connects it, once it may');
  const flights = flightsUnder(follower);
  const records = recordsTo(client, taskId);
  const closing = new AbortController();
  const pin = task.pins.find((each) => each.capability === capability);
  let pinned: PinnedVersion | undefined;

  const wire: Wire = tap(transport, {
    onListChanged: () => observer.again(),
    async onServerRequest(method, params) {
      const callId = randomUUID();
      const flight = flights.begin(await permit(callId, `${SERVER_ASKS}${method}`, params));
      const notSent = (reason: string): void =>
        records.outcome(callId, { status: 'failed', control: { decision: 'not_sent', by: 'host', reason } });
      return {
        mayAnswer(isError) {
          const reason = flight.stopped();
          flight.end();
          if (reason === undefined) records.outcome(callId, { status: isError ? 'failed' : 'succeeded' });
          else notSent(reason);
          return reason === undefined;
        },
        dropped() {
          flight.end();
          notSent('cancelled');
        },
      };
    },
  });
  const exchange = exchangeOver(mcp, transport, wire);
  const read = definitionReader(mcp, exchange, (traceparent) => wire.forget(traceparent));
  const observer = observerOf(read, closing.signal, ({ definition }) => {
    if (pin !== undefined) records.later(client.observe(capability, pin.version, observed({ definition })));
  });

  const probe = (): Probe | undefined => {
    const { protocolVersion, clientCapabilities } = wire;
    if (protocolVersion === undefined || clientCapabilities === undefined) return undefined;
    return defined({ protocolVersion, clientCapabilities, credentialScope });
  };
  const observed = (seen: Pick<Observed, 'definition' | 'definitionDigest'>): Observed => {
    const asked = probe();
    return defined({ ...seen, probe: asked, server });
  };

  /** An allow that still stands on this host. Rejects with `CallRefused`. */
  async function permit(callId: string, operation: string, args: JsonObject, seen?: Observed): Promise<Allow> {
    try {
      refuseStale(callId);
      const isServers = operation.startsWith(SERVER_ASKS);
      const definitionDigest =
        seen === undefined ? await observer.digest(isServers ? ASKED_WAIT_MS : undefined) : undefined;
      const evidence = seen ?? observed(definitionDigest === undefined ? {} : { definitionDigest });
      const call = { callId, taskId, capability, operation, arguments: args, observed: evidence };
      const decision = await client.authorize(call, traceparentIn(task.traceId));
      if (decision.decision === 'deny') {
        if (decision.obligations.includes('submit_definition')) observer.again('submit');
        throw new CallRefused(denialOf(decision, callId));
      }
      const late = lateReason(decision);
      if (late !== undefined) {
        // Allowed, and not made after all.
        records.outcome(callId, { status: 'failed', control: { decision: 'not_called', by: 'host', reason: late } });
        throw new CallRefused({ reason: late, by: 'host', callId });
      }
      return decision;
    } catch (error) {
      throw refusedBy(error, callId);
    }
  }

  function refuseStale(callId: string): void {
    const stale = closing.signal.aborted ? 'closed' : follower.stale();
    if (stale !== undefined) throw new CallRefused({ reason: 'host_stale', by: 'host', callId, detail: stale });
  }

  /** What has happened since the service decided. */
  function lateReason(allow: Allow): string | undefined {
    if (closing.signal.aborted || follower.stale() !== undefined) return 'host_stale';
    if (follower.isVoid(allow)) return 'disabled';
    return Date.parse(allow.expiresAt) <= follower.serviceMs() ? 'expired' : undefined;
  }

  /** Makes one call, from the question to the recorded outcome. Rejects with `CallRefused`. */
  async function made(
    operation: string,
    args: JsonObject,
    requestOf: (outbound: JsonObject) => McpRequest,
    caller?: AbortSignal,
  ): Promise<Delivered> {
    const callId = randomUUID();
    const allow = await permit(callId, operation, args);
    const flight = flights.begin(allow);
    const traceparent = traceparentIn(allow.traceId);
    let isAwaited = false;
    const stoppedBy = () => flight.stopped() ?? (caller?.aborted === true ? 'cancelled' : undefined);
    try {
      const before = stoppedBy();
      if (before !== undefined) {
        records.outcome(callId, { status: 'failed', control: { decision: 'not_called', by: 'host', reason: before } });
        throw new CallRefused({
          reason: before,
          by: 'host',
          callId,
          detail: 'the call was stopped before it was made',
        });
      }
      const signal = caller === undefined ? flight.signal : AbortSignal.any([flight.signal, caller]);
      const request = requestOf(allow.outbound.arguments);
      const { answer: response, error, hasLeft } = await exchange(request, traceparent, signal, requestMs);
      const stopped = stoppedBy();
      if (stopped !== undefined) {
        isAwaited = true;
        records.later(handInLate(callId, traceparent, stopped));
        throw new CallRefused({ reason: stopped, by: 'host', callId, detail: 'the call was stopped on its way' });
      }
      if (response === undefined) {
        const control = { decision: hasLeft ? 'no_answer' : 'not_called', by: 'host' };
        records.outcome(callId, { status: hasLeft ? 'unknown' : 'failed', control });
        throw refusedByServer(error, callId);
      }
      return await delivered(callId, operation, response, stoppedBy);
    } catch (error) {
      throw refusedBy(error, callId);
    } finally {
      flight.end();
      if (!isAwaited) wire.forget(traceparent);
    }
  }

  async function delivered(
    callId: string,
    operation: string,
    response: McpResponse,
    stoppedBy: () => StopReason | 'cancelled' | undefined,
  ): Promise<Delivered> {
    const validated = await client.validateResponse(callId, { taskId, ...response }).catch((error: unknown) => {
      records.outcome(callId, { status: 'unknown', control: { decision: 'not_validated', by: 'host' } });
      throw error;
    });
    const wantsInput = 'result' in response && asksForInput(response.result);
    const isError = 'error' in response || wantsInput || response.result['isError'] === true;
    const type = pinned?.effectOf(operation);
    records.outcome(
      callId,
      defined({ status: isError ? 'failed' : 'succeeded', effect: type === undefined ? undefined : { type } }),
    );
    if (wantsInput) {
      throw new CallRefused({
        reason: 'input_required',
        by: 'host',
        callId,
        detail: 'the server asks for input instead',
      });
    }
    if (validated.verdict === 'accepted') {
      // The service may have accepted it before the stop, and have said so after: a repeated answer is as old as the first.
      const stopped = stoppedBy();
      if (stopped === undefined) return { callId, envelope: validated.content, isError };
      throw new CallRefused({ reason: stopped, by: 'host', callId, detail: 'the call was stopped before its end' });
    }
    const { findings, verdict } = validated;
    const reason = findings.some(({ kind }) => kind === 'disabled') ? 'disabled' : `response_${verdict}`;
    throw new CallRefused({ reason, by: 'service', callId, findings });
  }

  /** What a stopped call brought after all goes to the service, and to nobody else. */
  async function handInLate(callId: string, traceparent: string, reason: StopReason | 'cancelled'): Promise<void> {
    const waited = AbortSignal.any([closing.signal, AbortSignal.timeout(lateMs)]);
    const response = (await wire.lateAnswerTo(traceparent, waited)) ?? { error: ABORTED };
    wire.forget(traceparent);
    try {
      await client.validateResponse(callId, { taskId, ...response });
    } finally {
      records.outcome(callId, { status: 'unknown', control: { decision: 'aborted', by: 'host', reason } });
    }
  }

  async function close(): Promise<void> {
    closing.abort();
    flights.close();
    wire.outgoing.close();
    await mcp.close().catch(() => undefined);
    await records.settled();
  }

  /** Asks for `$connect`; the outcome is that of `work`. */
  async function connecting<Made>(seen: Observed, work: (signal: AbortSignal) => Promise<Made>): Promise<Made> {
    const callId = randomUUID();
    const flight = flights.begin(await permit(callId, CONNECT, {}, seen));
    try {
      const made = await unlessAborted(flight.signal, () => work(flight.signal));
      records.outcome(callId, { status: 'succeeded' });
      return made;
    } catch (error) {
      const reason = flight.stopped();
      if (reason === undefined) records.outcome(callId, { status: 'failed' });
      else records.outcome(callId, { status: 'unknown', control: { decision: 'aborted', by: 'host', reason } });
      if (error instanceof CallRefused || error instanceof ServiceError) throw error;
      if (reason !== undefined) throw new CallRefused({ reason, by: 'host', callId }, { cause: error });
      throw refusedByServer(error, callId);
    } finally {
      flight.end();
    }
  }

  try {
    const first = await connecting({ server }, async (signal) => {
      await wire.outgoing.connecting(() => mcp.connect(transport, { signal }));
      return observer.begin(signal);
    });
    await connecting(observed({ definition: first.definition }), async () => {
      if (pin === undefined) throw new ServiceError('unintelligible', 'the service allows what the task does not pin');
      const registered = await client.version(capability, pin.version);
      const scope = task.scope.filter((entry) => entry.capability === capability);
      pinned = pinnedFor(registered, pin.definitionDigest, scope);
    });
  } catch (error) {
    await close();
    throw isProgramming(error) ? error : refusedBy(error, randomUUID());
  }
  const { shown } = pinned ?? {
    shown: { instructions: undefined, tools: [], prompts: [], resourceTemplates: [], resources: [] },
  };

  return {
    shown,
    async callTool({ name, arguments: args = {} }, { signal } = {}) {
      try {
        // Another operation's name is no tool's, `$connect` least of all: that one needs no scope.
        if (hasReservedPrefix(name)) {
          throw new CallRefused({ reason: 'operation_unknown', by: 'host', callId: randomUUID() });
        }
        const toRequest = (outbound: JsonObject) => ({ method: 'tools/call', params: { name, arguments: outbound } });
        return toolResult(await made(name, args as JsonObject, toRequest, signal));
      } catch (error) {
        return toolRefusal(refusedBy(error, randomUUID()).refusal);
      }
    },
    async getPrompt({ name, arguments: args = {} }, { signal } = {}) {
      const toRequest = (outbound: JsonObject) => ({ method: 'prompts/get', params: { name, arguments: outbound } });
      return (await made(`prompt:${name}`, args as JsonObject, toRequest, signal)).envelope;
    },
    async readResource({ uri }, { signal } = {}) {
      const operation = pinned?.readerOf(uri) ?? `resource:${uri}`;
      const toRequest = (outbound: JsonObject) => ({ method: 'resources/read', params: { uri: outbound['uri'] } });
      return (await made(operation, { uri }, toRequest, signal)).envelope;
    },
    close,
  };
}

/** Who does not look at the signal is not waited for; what it still does ends with the client that is closed. */
async function unlessAborted<Made>(signal: AbortSignal, work: () => Promise<Made>): Promise<Made> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(new Error('stopped'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work(), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
