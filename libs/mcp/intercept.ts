import { isJsonObject, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { AwaitedAnswers } from './awaited-answers.js';
import type { McpTransport } from './client.js';
import { asksForInput, CANCELLED, copyOf, messageIn, objectAt, REFUSED, type McpResponse } from './message.js';
import { shownNotification } from './notifications.js';
import { NotGuarded, Outgoing, type Admitted } from './outgoing.js';
import { claimsIn } from './protocol.js';
import { ServerRequests, type DecideServerRequest } from './server-requests.js';

export interface WireEvents {
  /** The server says that what it declares has changed. */
  onListChanged(): void;
  /** The server asks something of its host. */
  onServerRequest: DecideServerRequest;
}

/** What passes between a transport and its client. */
export interface Wire {
  /** The agreed revision of MCP; undefined before the handshake. */
  readonly protocolVersion: string | undefined;
  /** The capabilities that the client has declared; undefined before it has. */
  readonly clientCapabilities: JsonObject | undefined;
  /** The answer to the owner's request of this `traceparent`, as it came, however late. */
  answerTo(traceparent: string): McpResponse | undefined;
  /** Resolves with that answer; undefined if none has come when the signal is aborted. */
  lateAnswerTo(traceparent: string, signal: AbortSignal): Promise<McpResponse | undefined>;
  forget(traceparent: string): void;
  /** What may leave over the transport. */
  readonly outgoing: Pick<Outgoing, 'expect' | 'hasLeft' | 'connecting' | 'close'>;
}

type Handler = (message: unknown, extra?: unknown) => void;

/** What the client gets in place of a result that asks for input: some clients would answer it and ask nobody. */
const NOT_ASKED = { code: REFUSED, message: 'the server asks for input instead of answering' };

const intercepted = new WeakSet<object>();

/**
 * Places itself between a transport and its client, before they are connected; for both generations of the MCP SDK and
 * all eras of the protocol. It records the agreed revision, the client's capabilities and each answer as they are on the
 * wire. It holds each request of the server until `onServerRequest` allows it, and lets out only what that and
 * `outgoing.ts` admit. A notification reaches the client without its texts (`notifications.ts`). Messages from the server are attacker-controlled. Throws a `TypeError` for a transport that was intercepted
 * before.
 */
export function interceptTransport(transport: McpTransport, events: WireEvents): Wire {
  if (intercepted.has(transport))
    throw new TypeError('the transport has been guarded before: each guard needs a new one');
  intercepted.add(transport);
  return new Interception(transport, events);
}

class Interception implements Wire {
  protocolVersion: string | undefined;
  clientCapabilities: JsonObject | undefined;
  readonly outgoing = new Outgoing();
  private readonly answers = new AwaitedAnswers();
  private readonly serverRequests: ServerRequests;
  /** Messages on their way, and what stops them: a transport that authenticates itself sends the same object again. */
  private readonly leaving = new Map<object, AbortSignal | undefined>();
  private readonly sendNow: McpTransport['send'];
  private handler: Handler | undefined;

  constructor(
    transport: McpTransport,
    private readonly events: WireEvents,
  ) {
    this.serverRequests = new ServerRequests((method, params) => events.onServerRequest(method, params));
    this.sendNow = transport.send.bind(transport);
    transport.send = (message, options) => this.send(message, options);
    const start = transport.start.bind(transport);
    transport.start = () => (this.outgoing.isConnecting ? start() : Promise.reject(new NotGuarded('a greeting')));
    const agree = transport.setProtocolVersion as ((version: string) => void) | undefined;
    transport.setProtocolVersion = (version: string) => {
      this.protocolVersion = version;
      agree?.call(transport, version);
    };
    this.interceptHandler(transport);
  }

  answerTo(traceparent: string): McpResponse | undefined {
    return this.answers.answerTo(traceparent);
  }

  lateAnswerTo(traceparent: string, signal: AbortSignal): Promise<McpResponse | undefined> {
    return this.answers.lateAnswerTo(traceparent, signal);
  }

  forget(traceparent: string): void {
    this.answers.forget(traceparent);
    this.outgoing.forget(traceparent);
  }

  /**
   * The client sets its handler when it connects, and its handler calls the one that it found there; the transport reads
   * `onmessage` for each message. Until then a reader gets the handler that was there: a client that was given `receive`
   * would call itself.
   */
  private interceptHandler(transport: McpTransport): void {
    const preset = transport.onmessage as Handler | undefined;
    const receive: Handler = (message, extra) => this.receive(message, extra);
    this.handler = preset;
    Object.defineProperty(transport, 'onmessage', {
      configurable: true,
      get: () => (this.handler === undefined || this.handler === preset ? this.handler : receive),
      set: (next: Handler | undefined) => {
        // Another client that connects to the transport later would hear what the server answers to the guard.
        if (this.outgoing.isConnecting) this.handler = next;
      },
    });
  }

  private async send(message: object, options?: object): Promise<void> {
    if (this.leaving.has(message)) {
      if (this.leaving.get(message)?.aborted === true) throw new NotGuarded('a call that was stopped');
      return this.sendNow(message, options);
    }
    const read = messageIn(copyOf(message));
    if (read.kind === 'response' && read.id !== undefined) {
      const leaving = await this.serverRequests.answer(read.id, read.response);
      if (leaving === 'refused') return this.refuse(read.id);
      return leaving === 'unknown' ? undefined : this.leave({ jsonrpc: '2.0', id: read.id, ...leaving }, options);
    }
    let admitted: Admitted;
    try {
      admitted = this.outgoing.admit(message, options);
    } catch (error) {
      if (error instanceof NotGuarded && read.kind === 'request') this.answerRefused(read.id, error);
      throw error;
    }
    if (admitted.traceparent !== undefined) this.answers.expect(admitted.traceparent);
    this.recordProbe(admitted);
    return this.leave(admitted.message, options, admitted.signal);
  }

  private async leave(message: object, options?: object, signal?: AbortSignal): Promise<void> {
    this.leaving.set(message, signal);
    try {
      await this.sendNow(message, options);
    } finally {
      this.leaving.delete(message);
    }
  }

  /** The client takes it for the server's answer, so that its promise rejects with an error of its own kind. */
  private answerRefused(id: Json, { code, message, data }: NotGuarded): void {
    if (!this.outgoing.isUnanswered(id)) this.handler?.({ jsonrpc: '2.0', id, error: { code, message, data } });
  }

  private refuse(id: Json): Promise<void> {
    const refused = { jsonrpc: '2.0', id, error: { code: REFUSED, message: 'refused by the host' } };
    return this.sendNow(refused).catch(() => undefined);
  }

  /** The probe is evidence: the handshake and the owner's requests set it, other messages of the program do not. */
  private recordProbe({ message, traceparent }: Admitted): void {
    const params = objectAt(message, 'params');
    if (message['method'] === 'initialize') this.clientCapabilities = objectAt(params, 'capabilities');
    if (this.outgoing.isConnecting || traceparent !== undefined)
      Object.assign(this, claimsIn(objectAt(params, '_meta')));
  }

  private receive(message: unknown, extra?: unknown): void {
    const read = messageIn(message);
    if (read.kind === 'request') {
      const { id, method, params } = read;
      void this.serverRequests
        .admit(id, method, params)
        .then((shown) => (shown === undefined ? this.refuse(id) : this.hand({ id, method }, shown, extra)));
      return;
    }
    if (read.kind === 'notification') {
      if (read.method === CANCELLED) this.serverRequests.cancelled(read.params['requestId']);
      if (read.method.endsWith('/list_changed')) this.events.onListChanged();
      const shown = shownNotification(read.method, read.params);
      if (shown !== undefined) this.hand({ method: read.method }, shown, extra);
      return;
    }
    const { id, response = { result: {} } } = read;
    const traceparent = this.outgoing.answered(id);
    if (traceparent !== undefined) this.answers.arrived(traceparent, response);
    // A message that holds an error too is judged by its result: a client may look at that first.
    const asks = isJsonObject(message) && asksForInput(objectAt(message, 'result'));
    this.handler?.(asks ? { jsonrpc: '2.0', id, error: NOT_ASKED } : message, extra);
  }

  /** Gives the client a message of the server with these params alone. */
  private hand(message: { readonly id?: Json; readonly method: string }, params: JsonObject, extra: unknown): void {
    const given = Object.keys(params).length === 0 ? {} : { params };
    this.handler?.({ jsonrpc: '2.0', ...message, ...given }, extra);
  }
}
