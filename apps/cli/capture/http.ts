import { createHash, X509Certificate } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { Json, JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { claimsIn } from '../../../libs/mcp/protocol.js';
import { messageIn, objectAt, replyOf, type McpReply } from '../../../libs/mcp/message.js';
import { at } from '../print.js';
import { CaptureFailure, LIMITS } from './failure.js';
import { parseMessage, type Channel } from './rpc.js';

/**
 * Speaks MCP's streamable HTTP with one address, redirects not followed: what is captured is that address. The pin is
 * taken from the very connections that carried the messages; two different certificates are a failure.
 */
export function openHttp(url: URL, bearer: string | undefined): Channel {
  let session: string | undefined;
  let version: string | undefined;
  let pin: string | undefined;
  let received = 0;
  let lastId = 0;

  const headersFor = (message: JsonObject): Record<string, string> => {
    const claimed = claimsIn(objectAt(objectAt(message, 'params'), '_meta')).protocolVersion;
    return defined({
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: bearer === undefined ? undefined : `Bearer ${bearer}`,
      'mcp-protocol-version': claimed ?? version,
      'mcp-method': claimed === undefined ? undefined : at(message, 'method'),
      'mcp-session-id': session,
    });
  };

  const send = (method: 'POST' | 'DELETE', message: JsonObject, signal: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const sent = make(url, { method, headers: headersFor(message), signal, agent: false }, resolve);
      sent.once('error', (error: NodeJS.ErrnoException) => reject(unreachable(url, error)));
      sent.end(method === 'POST' ? JSON.stringify(message) : undefined);
    });

  const pinned = (response: IncomingMessage): void => {
    if (!(response.socket instanceof TLSSocket)) return;
    const raw = response.socket.getPeerCertificate().raw as Buffer | undefined;
    if (raw === undefined) return;
    const key = new X509Certificate(raw).publicKey.export({ type: 'spki', format: 'der' });
    const now = `sha256:${createHash('sha256').update(key).digest('hex')}`;
    if (pin !== undefined && pin !== now) {
      throw new CaptureFailure('protocol', 'the address answered with two different certificates');
    }
    pin = now;
  };

  /** Hands over the messages of a body, one JSON text or server-sent events, until `take` has what it wants. */
  const read = async (response: IncomingMessage, take: (message: Json) => boolean): Promise<void> => {
    const streamed = /^text\/event-stream\b/i.test(response.headers['content-type'] ?? '');
    const events = eventReader();
    let whole = '';
    response.setEncoding('utf8');
    for await (const chunk of response as AsyncIterable<string>) {
      received += chunk.length;
      if (received > LIMITS.totalBytes)
        throw new CaptureFailure('flood', `the server sent over ${LIMITS.totalBytes} bytes`);
      if (!streamed) whole += chunk;
      else for (const data of events(chunk)) if (each(parseMessage(data), take)) return;
    }
    if (!streamed) each(parseMessage(whole), take);
  };

  const exchange = async (message: JsonObject, id: number | undefined, signal: AbortSignal): Promise<McpReply> => {
    const response = await send('POST', message, signal);
    try {
      pinned(response);
      const status = response.statusCode ?? 0;
      refuseStatus(status, url);
      const given = response.headers['mcp-session-id'];
      if (typeof given === 'string' && given.length <= 512) session = given;
      if (id === undefined) return { ok: true, result: {} };
      let reply: McpReply | undefined;
      await read(response, (one) => {
        const read = messageIn(one);
        if (read.kind !== 'response' || read.response === undefined) return false;
        // An error about a request that could not be read has no id.
        if (read.id === id || (status >= 400 && 'error' in read.response)) reply = replyOf(read.response);
        return reply !== undefined;
      });
      if (reply !== undefined) return reply;
      if (status >= 400) return { ok: false, code: -status, message: `HTTP ${status}` };
      throw new CaptureFailure('garbage', 'the server answered with something that is not JSON-RPC');
    } finally {
      response.destroy();
    }
  };

  const within = async <Value>(timeoutMs: number, method: string, work: (signal: AbortSignal) => Promise<Value>) => {
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
    try {
      return await work(signal);
    } catch (error) {
      if (error instanceof CaptureFailure && !signal.aborted) throw error;
      if (signal.aborted) throw new CaptureFailure('silent', `the server left ${method} unanswered`);
      throw unreachable(url, error as NodeJS.ErrnoException);
    }
  };

  return {
    request: (method, params, timeoutMs) => {
      const id = (lastId += 1);
      return within(timeoutMs, method, (signal) => exchange({ jsonrpc: '2.0', id, method, params }, id, signal));
    },
    notify: async (method, params) => {
      await within(LIMITS.probeMs, method, (signal) => exchange({ jsonrpc: '2.0', method, params }, undefined, signal));
    },
    agreed: (agreedOn) => {
      version = agreedOn;
    },
    spki: () => pin,
    pid: undefined,
    stderr: () => '',
    close: async () => {
      if (session === undefined) return;
      const ended = within(LIMITS.probeMs, 'DELETE', (signal) => send('DELETE', {}, signal));
      await ended.then((response) => response.destroy()).catch(() => undefined);
    },
  };
}

function each(message: Json | undefined, take: (message: Json) => boolean): boolean {
  if (message === undefined) return false;
  return Array.isArray(message) ? (message as readonly Json[]).some(take) : take(message);
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

/** Server-sent events (WHATWG HTML, 9.2): the data of each whole event, within the bound on one message. */
function eventReader(): (chunk: string) => string[] {
  let rest = '';
  return (chunk) => {
    const blocks = (rest + chunk).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop() ?? '';
    if (rest.length > LIMITS.messageBytes) {
      throw new CaptureFailure('flood', `the server sent a message of over ${LIMITS.messageBytes} bytes`);
    }
    return blocks.map(dataOf).filter((data) => data !== '');
  };
}

function dataOf(block: string): string {
  const lines = block.split('\n').filter((line) => line.startsWith('data:'));
  return lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
}
