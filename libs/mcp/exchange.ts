import { randomBytes } from 'node:crypto';
import { RAW, type McpClient, type McpRequest, type McpTransport } from './client.js';
import type { Wire } from './intercept.js';
import type { McpResponse } from './message.js';

/** What became of one request to a server. */
export interface Exchanged {
  /** The answer as it is on the wire, a result or an error; undefined if none came. */
  readonly answer: McpResponse | undefined;
  /** Why the client gave up, if it did. It may quote the server. */
  readonly error: unknown;
  /** Whether the request has left the host. */
  readonly hasLeft: boolean;
}

/** Sends one request through the client, and resolves with the answer that the transport received. Never rejects. */
export type Exchange = (
  request: McpRequest,
  traceparent: string,
  signal: AbortSignal,
  timeoutMs?: number,
) => Promise<Exchanged>;

/**
 * Requests of the wire's owner to the server. Each generation of the SDK checks and cuts an answer in its own way, so the
 * answer is read from the wire. The owner calls `wire.forget` once it no longer waits for the answer.
 */
export const exchangeOver =
  <Transport extends McpTransport>(mcp: McpClient<Transport>, transport: Transport, wire: Wire): Exchange =>
  async ({ method, params, meta }, traceparent, signal, timeoutMs) => {
    let error: unknown;
    // A client that was connected to something else would send the call there.
    if (mcp.transport === transport) {
      wire.outgoing.expect(traceparent, { method, params: params ?? {}, meta }, signal);
      const options = timeoutMs === undefined ? { signal } : { signal, timeout: timeoutMs };
      try {
        await mcp.request({ method, params: { ...params, _meta: { traceparent } } }, RAW, options);
      } catch (thrown) {
        error = thrown;
      }
    } else {
      error = new NotConnected();
    }
    return { answer: wire.answerTo(traceparent), error, hasLeft: wire.outgoing.hasLeft(traceparent) };
  };

/** The client was closed, or connected to another transport than the guarded one. */
export class NotConnected extends Error {
  override readonly name = 'NotConnected';

  constructor() {
    super('the client is not connected to the transport that is guarded');
  }
}

/** W3C trace context of one span in a trace. */
export const traceparentIn = (traceId: string): string => `00-${traceId}-${randomBytes(8).toString('hex')}-01`;
