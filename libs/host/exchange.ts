import { randomBytes } from 'node:crypto';
import { RAW, type McpClient, type McpRequest, type McpResponse, type McpTransport, type Wire } from './mcp.js';

/** What became of one request to a server. */
export interface Exchanged {
  /** The answer as it is on the wire, an error of the server too; undefined if none came. */
  readonly answer: McpResponse | undefined;
  /** Why the client gave up, if it did. It may quote the server. */
  readonly error: unknown;
  /** Whether the request has left the host. */
  readonly hasLeft: boolean;
}

/** Sends one request through the client, and gives the answer that the transport has received to it. Never rejects. */
export type Exchange = (
  request: McpRequest,
  traceparent: string,
  signal: AbortSignal,
  timeoutMs?: number,
) => Promise<Exchanged>;

/**
 * The guard's way to its server. The client checks and cuts what it is answered, in each generation of the SDK otherwise;
 * so the answer is read from the wire. Its owner calls `wire.forget` when the answer is not waited for any longer.
 */
export const exchangeOver =
  <Transport extends McpTransport>(mcp: McpClient<Transport>, transport: Transport, wire: Wire): Exchange =>
  async ({ method, params }, traceparent, signal, timeoutMs) => {
    let error: unknown;
    // A client that its owner has connected to something else would send the call there.
    if (mcp.transport === transport) {
      wire.outgoing.expect(traceparent, { method, params: params ?? {} }, signal);
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
