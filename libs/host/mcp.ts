import { z } from 'zod';
import { isJsonObject, ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { copyOf, NotGuarded, outgoingOf, REFUSED, type Admitted, type Outgoing } from './outgoing.js';

/** A transport of either generation of the MCP SDK, as far as the guard knows it. */
export interface McpTransport {
  start(): Promise<void>;
  send(message: object, options?: object): Promise<void>;
  onmessage?: unknown;
  setProtocolVersion?: unknown;
}

/** A client of either generation of the MCP SDK (`@modelcontextprotocol/sdk` 1.x, `@modelcontextprotocol/client` 2.x). */
export interface McpClient<Transport> {
  connect(transport: Transport, options?: object): Promise<void>;
  request(request: McpRequest, resultSchema: typeof RAW, options?: McpRequestOptions): Promise<unknown>;
  getServerCapabilities(): object | undefined;
  getServerVersion(): object | undefined;
  getInstructions(): string | undefined;
  close(): Promise<void>;
  /** What it is connected to; undefined before and after. */
  readonly transport: object | undefined;
}

export interface McpRequest {
  readonly method: string;
  readonly params?: Record<string, unknown>;
}

export interface McpRequestOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/** Results are taken as the server sent them: the SDK's own schemas drop what they do not know. */
export const RAW = z.looseObject({});

/** What a server answered to one request. */
export type McpResponse = { readonly result: JsonObject } | { readonly error: JsonObject };

export interface WireEvents {
  /** The server says that what it declares has changed. */
  onListChanged(): void;
  /** The server asks something of its host. Rejects where that is refused. */
  onServerRequest(method: string, params: JsonObject): Promise<ServerRequest>;
}

/** A request of the server that the client has been given. One of the two is told, once. */
export interface ServerRequest {
  /** The client's answer is about to leave. False keeps it back: the server gets an error. */
  mayAnswer(isError: boolean): boolean;
  /** There will be no answer that leaves. */
  dropped(): void;
}

/** What passes over a transport, seen from between it and its client. */
export interface Wire {
  /** The revision that was agreed on; undefined before. */
  readonly protocolVersion: string | undefined;
  /** What the client said that it can do; undefined before it did. */
  readonly clientCapabilities: JsonObject | undefined;
  /** What was answered to the guard's request of this `traceparent`, as it came, however late. */
  answerTo(traceparent: string): McpResponse | undefined;
  /** Resolves with that answer; undefined where none came until the signal is aborted. */
  lateAnswerTo(traceparent: string, signal: AbortSignal): Promise<McpResponse | undefined>;
  forget(traceparent: string): void;
  /** What may leave over the transport. */
  readonly outgoing: Pick<Outgoing, 'expect' | 'hasLeft' | 'connecting' | 'close'>;
}

const PING = 'ping';
const META = 'io.modelcontextprotocol/';
/** Requests of the server that are being decided at once; each is a question to the service. */
const MAX_SERVER_REQUESTS = 16;
/** Requests of the server that the client may be working on. */
const MAX_ANSWERING = 256;
const CANCELLED = 'notifications/cancelled';
/** To a client that is given none: some would fulfil by themselves what an answer asks for, and nobody would be asked. */
const NOT_ASKED = { code: REFUSED, message: 'the server asks for input instead of answering' };
const HARMLESS: ServerRequest = { mayAnswer: () => true, dropped: () => undefined };

interface Awaited {
  answer?: McpResponse;
  onAnswer?: () => void;
}

const tapped = new WeakSet<object>();

/**
 * Stands between a transport and its client, before they are connected. It sees the agreed revision, the client's
 * capabilities and each answer as they are on the wire, lets no request of the server through unasked, and lets nothing
 * out but what the guard sends and what `outgoing.ts` knows to be harmless. Messages from the server are
 * attacker-controlled. Throws a `TypeError` for a transport that has been guarded before.
 */
export function tap(transport: McpTransport, events: WireEvents): Wire {
  if (tapped.has(transport)) throw new TypeError('the transport has been guarded before: each guard needs a new one');
  tapped.add(transport);
  const seen: { protocolVersion?: string; clientCapabilities?: JsonObject } = {};
  const awaited = new Map<string, Awaited>();
  const outgoing = outgoingOf();
  /** Messages on their way, and what stops them: a transport that authenticates itself sends the same object again. */
  const leaving = new Map<object, AbortSignal | undefined>();
  /** By the server's ids. An answer without its request never leaves. */
  const answering = new Map<unknown, ServerRequest>();
  const send = transport.send.bind(transport);
  const refuse = (id: unknown): Promise<void> =>
    send({ jsonrpc: '2.0', id, error: { code: REFUSED, message: 'refused by the host' } }).catch(() => undefined);
  const preset = transport.onmessage;
  let handler = preset as ((message: unknown, extra?: unknown) => void) | undefined;

  const refuseOwn = (id: unknown, refused: NotGuarded): Promise<never> => {
    const { code, message, data } = refused;
    // The client takes it for the server's answer, so its promise rejects with an error of its own kind.
    if (id !== undefined && !outgoing.isUnanswered(id))
      handler?.({ jsonrpc: '2.0', id, error: { code, message, data } });
    return Promise.reject(refused);
  };

  const start = transport.start.bind(transport);
  transport.start = () => (outgoing.isConnecting() ? start() : Promise.reject(new NotGuarded('a greeting')));

  transport.send = async (message, options) => {
    if (leaving.has(message)) {
      const isStopped = leaving.get(message)?.aborted === true;
      if (isStopped) throw new NotGuarded('a call that was stopped');
      return send(message, options);
    }
    const leave = async (allowed: object, signal?: AbortSignal): Promise<void> => {
      leaving.set(allowed, signal);
      try {
        await send(allowed, options);
      } finally {
        leaving.delete(allowed);
      }
    };
    const { id, method, result, error } = fieldsOf(copyOf(message));
    if (id !== undefined && method === undefined) {
      const request = answering.get(id);
      answering.delete(id);
      if (request === undefined) return undefined;
      if (error === undefined && result === undefined) request.dropped();
      else if (request.mayAnswer(error !== undefined))
        return leave({ jsonrpc: '2.0', id, ...(error === undefined ? { result } : { error }) });
      return refuse(id);
    }
    let admitted: Admitted;
    try {
      admitted = outgoing.admit(message, options);
    } catch (error) {
      if (error instanceof NotGuarded) return refuseOwn(id, error);
      throw error;
    }
    const params = objectAt(admitted.message, 'params');
    const meta = objectAt(params, '_meta');
    if (admitted.traceparent !== undefined) awaited.set(admitted.traceparent, {});
    // The probe is evidence: only the handshake and what the guard sends tell of it, not what goes beside the guard.
    const tells = outgoing.isConnecting() || admitted.traceparent !== undefined;
    if (method === 'initialize') seen.clientCapabilities = objectAt(params, 'capabilities');
    const [version, capabilities] = [
      ownValue(meta, `${META}protocolVersion`),
      ownValue(meta, `${META}clientCapabilities`),
    ];
    if (tells && typeof version === 'string') seen.protocolVersion = version;
    if (tells && isJsonObject(capabilities)) seen.clientCapabilities = capabilities;
    return leave(admitted.message, admitted.signal);
  };

  const agree = transport.setProtocolVersion as ((version: string) => void) | undefined;
  transport.setProtocolVersion = (version: string) => {
    seen.protocolVersion = version;
    agree?.call(transport, version);
  };

  const received = (message: unknown, extra?: unknown): void => {
    const { id, method, params, result, error } = fieldsOf(message);
    if (method !== undefined && id !== undefined) {
      void serverAsks(id, method, params).then((allowed) => (allowed ? handler?.(message, extra) : refuse(id)));
      return;
    }
    if (method === CANCELLED) {
      answering.get(params['requestId'])?.dropped();
      answering.delete(params['requestId']);
    }
    if (method?.endsWith('/list_changed') === true) events.onListChanged();
    const traceparent = method === undefined ? outgoing.answered(id) : undefined;
    if (traceparent !== undefined) {
      const waiting = awaited.get(traceparent);
      if (waiting !== undefined) {
        waiting.answer = error === undefined ? { result: result ?? {} } : { error };
        waiting.onAnswer?.();
      }
    }
    if (asksForInput(result)) handler?.({ jsonrpc: '2.0', id, error: NOT_ASKED }, extra);
    else handler?.(message, extra);
  };

  let asking = 0;
  const serverAsks = async (id: unknown, method: string, params: JsonObject): Promise<boolean> => {
    const hasRoom = (): boolean => answering.size < MAX_ANSWERING && !answering.has(id);
    if (asking >= MAX_SERVER_REQUESTS || !hasRoom()) return false;
    if (method === PING) {
      answering.set(id, HARMLESS);
      return true;
    }
    asking += 1;
    try {
      const request = await events.onServerRequest(method, params);
      if (!hasRoom()) {
        request.dropped();
        return false;
      }
      answering.set(id, request);
      return true;
    } catch {
      return false;
    } finally {
      asking -= 1;
    }
  };

  // The client sets its handler when it connects, one that calls the handler that it found; the transport looks it up for
  // each message. Before that whoever looks finds what was there: given `received`, the client would call itself.
  Object.defineProperty(transport, 'onmessage', {
    configurable: true,
    get: () => (handler === undefined || handler === preset ? handler : received),
    set: (next: typeof handler) => {
      // Another client that is connected to the transport later would hear what the server answers to the guard.
      if (outgoing.isConnecting()) handler = next;
    },
  });

  return {
    get protocolVersion() {
      return seen.protocolVersion;
    },
    get clientCapabilities() {
      return seen.clientCapabilities;
    },
    answerTo: (traceparent) => awaited.get(traceparent)?.answer,
    lateAnswerTo(traceparent, signal) {
      const waiting = awaited.get(traceparent);
      if (waiting === undefined || waiting.answer !== undefined || signal.aborted)
        return Promise.resolve(waiting?.answer);
      return new Promise((resolve) => {
        waiting.onAnswer = () => resolve(waiting.answer);
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
      });
    },
    forget(traceparent) {
      awaited.delete(traceparent);
      outgoing.forget(traceparent);
    },
    outgoing,
  };
}

/** Whether a result asks the host for something (sampling, elicitation, roots) before it comes: MCP of 2026-07-28. */
export const asksForInput = (result: JsonObject | undefined): boolean =>
  result !== undefined && ownValue(result, 'resultType') === 'input_required';

function fieldsOf(message: unknown) {
  const object = isJsonObject(message) ? message : {};
  const { method, id } = { method: ownValue(object, 'method'), id: ownValue(object, 'id') };
  const [result, error] = [ownValue(object, 'result'), ownValue(object, 'error')];
  return {
    id,
    method: typeof method === 'string' ? method : undefined,
    params: objectAt(object, 'params'),
    result: isJsonObject(result) ? result : undefined,
    error: isJsonObject(error) ? error : undefined,
  };
}

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = ownValue(object, key);
  return isJsonObject(value) ? value : {};
}
