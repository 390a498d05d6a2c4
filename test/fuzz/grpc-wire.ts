import assert from 'node:assert/strict';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { detailsIn } from '../grpc/client.js';
import { messagesIn, type Headers } from './grpc-frames.js';
import { PLAIN, type BentCall } from './grpc-mutations.js';
import { INPUT_MS } from './settings.js';

/** gRPC as bytes on HTTP/2: a client library would put headers, lengths and messages in order first. */

export interface GrpcReply {
  /** The status that ended the call; undefined where the stream was reset without one. */
  readonly status: number | undefined;
  readonly http: number;
  /** Of the details; undefined where they are not ours. */
  readonly code: string | undefined;
  readonly messages: readonly Buffer[];
  readonly ms: number;
}

export interface GrpcWire {
  /** One call from its headers to its end. Rejects where there is no end in time. */
  send(path: string, headers: Headers, chunks: readonly Uint8Array[], how?: 'ended' | 'abandoned'): Promise<GrpcReply>;
  /** A call that is left open. The caller ends it. */
  open(path: string, headers: Headers): ClientHttp2Stream;
  slowestMs(): number;
  close(): void;
}

export function grpcWireTo(address: string): GrpcWire {
  let session: ClientHttp2Session | undefined;
  let slowestMs = 0;
  const open: GrpcWire['open'] = (path, headers) => {
    if (session === undefined || session.closed || session.destroyed) {
      session = connect(`http://${address}`);
      // The result shows in its streams.
      session.on('error', () => undefined);
    }
    return session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
  };
  return {
    open,
    async send(path, headers, chunks, how = 'ended') {
      const startedMs = performance.now();
      const stream = open(path, headers);
      const answered = replyOf(stream, startedMs);
      for (const chunk of chunks) stream.write(chunk);
      if (how === 'ended') stream.end();
      else stream.close(constants.NGHTTP2_CANCEL);
      const reply = await answered;
      slowestMs = Math.max(slowestMs, reply.ms);
      return reply;
    },
    slowestMs: () => slowestMs,
    close: () => session?.destroy(),
  };
}

/** How a call ends. */
export function replyOf(stream: ClientHttp2Stream, startedMs = performance.now()): Promise<GrpcReply> {
  const chunks: Buffer[] = [];
  let ended: Record<string, unknown> = {};
  const late = setTimeout(() => stream.destroy(new Error(`no end within ${INPUT_MS} ms`)), INPUT_MS);
  return new Promise((resolve, reject) => {
    stream.on('response', (headers) => (ended = { ...headers }));
    stream.on('trailers', (trailers) => (ended = { ...ended, ...trailers }));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error) => {
      if (/no end within/.test(error.message)) reject(error);
    });
    stream.on('close', () => {
      clearTimeout(late);
      const { 'grpc-status': given, 'grpc-status-details-bin': details } = ended;
      const code = typeof details === 'string' ? detailsIn(Buffer.from(details, 'base64')).code : undefined;
      const status = given === undefined ? undefined : Number(given);
      resolve({
        status,
        http: Number(ended[':status']),
        code,
        messages: messagesIn(Buffer.concat(chunks)),
        ms: performance.now() - startedMs,
      });
    });
  });
}

/** The statuses that a call may end with while the store is healthy. */
const DOCUMENTED: ReadonlySet<number> = new Set([
  status.OK,
  status.INVALID_ARGUMENT,
  status.DEADLINE_EXCEEDED,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.ABORTED,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
]);

/** Rules for every call that ended on its own. Only a position that is still to come is UNAVAILABLE. */
export function isSoundCall(reply: GrpcReply, how?: BentCall): void {
  const { status: given, http, code, ms } = reply;
  assert.ok(ms < INPUT_MS, `took ${ms} ms`);
  if (given === status.UNAVAILABLE) return assert.equal(code, 'view_stale');
  if (http === 415) return assert.ok(how?.metadata.some(([name]) => name === 'content-type'));
  if (given === status.INTERNAL && isNoGrpc(how)) return assert.equal(code, undefined);
  // Refused while it still sends, a call is reset at once, which the client may see before its status.
  if (given === undefined && how?.caller === 'wrong' && how.framing === 'split') return;
  assert.ok(given !== undefined && DOCUMENTED.has(given), `status ${given}, code ${code}, HTTP ${http}`);
}

/** Calls that the gRPC library itself ends with INTERNAL: a bad timeout, or a false claim of compression. */
function isNoGrpc({ framing, metadata }: BentCall = PLAIN): boolean {
  return metadata.some(
    ([name, value]) => name === 'grpc-timeout' || (framing === 'flagged' && /^(gzip|deflate)$/.test(value)),
  );
}
