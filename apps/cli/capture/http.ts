import { createHash, X509Certificate } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { Json, JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { messageIn, objectAt, replyOf, type McpReply } from '../../../libs/mcp/message.js';
import { claimsIn } from '../../../libs/mcp/protocol.js';
import { EventTooLarge, serverSentEvents } from '../../../libs/wire/server-sent-events.js';
import { at } from '../print.js';
import { CaptureFailure, LIMITS } from './failure.js';
import { parseMessage, type Channel } from './rpc.js';

/**
 * Speaks MCP's streamable HTTP with one address. Redirects are not followed: what is captured is that address. The pin is
 * taken from the connections that carried the messages; two different certificates are a failure.
 */
export const openHttp = (url: URL, bearer: string | undefined): Channel => new HttpChannel(url, bearer);

class HttpChannel implements Channel {
  readonly pid = undefined;
  private session: string | undefined;
  private version: string | undefined;
  private pin: string | undefined;
  private receivedChars = 0;
  private lastId = 0;

  constructor(
    private readonly url: URL,
    private readonly bearer: string | undefined,
  ) {}

  request(method: string, params: JsonObject, timeoutMs: number): Promise<McpReply> {
    const id = (this.lastId += 1);
    const message = { jsonrpc: '2.0', id, method, params };
    return this.within(timeoutMs, method, (signal) => this.exchange(message, id, signal));
  }

  async notify(method: string, params: JsonObject): Promise<void> {
    const message = { jsonrpc: '2.0', method, params };
    await this.within(LIMITS.probeMs, method, (signal) => this.exchange(message, undefined, signal));
  }

  agreed(version: string): void {
    this.version = version;
  }

  spki(): string | undefined {
    return this.pin;
  }

  stderr(): string {
    return '';
  }

  async close(): Promise<void> {
    if (this.session === undefined) return;
    const ended = this.within(LIMITS.probeMs, 'DELETE', (signal) => this.send('DELETE', {}, signal));
    await ended.then((response) => response.destroy()).catch(() => undefined);
  }

  private headersFor(message: JsonObject): Record<string, string> {
    const { bearer, session, version } = this;
    const claimed = claimsIn(objectAt(objectAt(message, 'params'), '_meta')).protocolVersion;
    return defined({
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: bearer === undefined ? undefined : `Bearer ${bearer}`,
      'mcp-protocol-version': claimed ?? version,
      'mcp-method': claimed === undefined ? undefined : at(message, 'method'),
      'mcp-session-id': session,
    });
  }

  private send(method: 'POST' | 'DELETE', message: JsonObject, signal: AbortSignal): Promise<IncomingMessage> {
    const { url } = this;
    return new Promise((resolve, reject) => {
      const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const sent = make(url, { method, headers: this.headersFor(message), signal, agent: false }, resolve);
      sent.once('error', (error: NodeJS.ErrnoException) => reject(unreachable(url, error)));
      sent.end(method === 'POST' ? JSON.stringify(message) : undefined);
    });
  }

  /** Sends a message. With an `id`, it resolves with the reply. */
  private async exchange(message: JsonObject, id: number | undefined, signal: AbortSignal): Promise<McpReply> {
    const response = await this.send('POST', message, signal);
    try {
      this.pinTo(response);
      const status = response.statusCode ?? 0;
      refuseStatus(status, this.url);
      const session = response.headers['mcp-session-id'];
      if (typeof session === 'string' && session.length <= 512) this.session = session;
      if (id === undefined) return { ok: true, result: {} };
      const reply = await this.replyIn(response, id, status);
      if (reply !== undefined) return reply;
      if (status >= 400) return { ok: false, code: -status, message: `HTTP ${status}` };
      throw new CaptureFailure('garbage', 'the server answered with something that is not JSON-RPC');
    } finally {
      response.destroy();
    }
  }

  /** Reads a body, one JSON text or server-sent events, up to the reply to `id`. */
  private async replyIn(response: IncomingMessage, id: number, status: number): Promise<McpReply | undefined> {
    for await (const text of this.textsIn(response)) {
      const parsed = parseMessage(text);
      for (const message of Array.isArray(parsed) ? (parsed as readonly Json[]) : [parsed]) {
        const read = messageIn(message);
        if (read.kind !== 'response' || read.response === undefined) continue;
        // An error about a request that could not be read has no id.
        if (read.id === id || (status >= 400 && 'error' in read.response)) return replyOf(read.response);
      }
    }
    return undefined;
  }

  private async *textsIn(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
    const chunks = this.chunksOf(response);
    if (/^text\/event-stream\b/i.test(response.headers['content-type'] ?? '')) {
      for await (const { data } of serverSentEvents(chunks, LIMITS.messageBytes)) yield data;
      return;
    }
    let whole = '';
    for await (const chunk of chunks) whole += chunk;
    yield whole;
  }

  private async *chunksOf(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
    response.setEncoding('utf8');
    for await (const chunk of response as AsyncIterable<string>) {
      this.receivedChars += chunk.length;
      if (this.receivedChars > LIMITS.totalBytes)
        throw new CaptureFailure('flood', `the server sent over ${LIMITS.totalBytes} bytes`);
      yield chunk;
    }
  }

  private pinTo({ socket }: IncomingMessage): void {
    if (!(socket instanceof TLSSocket)) return;
    const raw = socket.getPeerCertificate().raw as Buffer | undefined;
    if (raw === undefined) return;
    const key = new X509Certificate(raw).publicKey.export({ type: 'spki', format: 'der' });
    const pin = `sha256:${createHash('sha256').update(key).digest('hex')}`;
    if (this.pin !== undefined && this.pin !== pin)
      throw new CaptureFailure('protocol', 'the address answered with two different certificates');
    this.pin = pin;
  }

  private async within<Value>(
    timeoutMs: number,
    method: string,
    work: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
    try {
      return await work(signal);
    } catch (error) {
      if (signal.aborted) throw new CaptureFailure('silent', `the server left ${method} unanswered`);
      if (error instanceof CaptureFailure) throw error;
      if (error instanceof EventTooLarge)
        throw new CaptureFailure('flood', `the server sent a message of over ${LIMITS.messageBytes} bytes`);
      throw unreachable(this.url, error as NodeJS.ErrnoException);
    }
  }
}

function refuseStatus(status: number, url: URL): void {
  if (status === 401 || status === 403) {
    const hint = 'give its token with --bearer-file';
    throw new CaptureFailure('refused', `${url.origin} wants an authorized caller (HTTP ${status}): ${hint}`);
  }
  if (status >= 300 && status < 400) {
    throw new CaptureFailure('refused', `${url.origin} redirects (HTTP ${status}): capture the address that it means`);
  }
  if (status >= 500) throw new CaptureFailure('unreachable', `${url.origin} answered HTTP ${status}`);
}

function unreachable(url: URL, error: NodeJS.ErrnoException): CaptureFailure {
  return new CaptureFailure('unreachable', `cannot speak with ${url.origin}: ${error.code ?? error.message}`);
}
