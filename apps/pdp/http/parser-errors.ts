import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ProblemCode } from '../../../libs/contract/problem.js';
import { Problem } from '../edge/problem.js';

/**
 * Refusals of Node's parser and its time limits, before there is a request. Each has a status and the code that fits it
 * best.
 */
const REFUSALS: Readonly<Record<string, readonly [status: number, code: ProblemCode, detail: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'malformed_request', 'the request was not sent in time'],
  HPE_HEADER_OVERFLOW: [431, 'too_large', 'the head of the request is too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'too_large', 'the extensions of a chunk are too large'],
};
const MALFORMED = [400, 'malformed_request', 'this is no request of HTTP/1.1'] as const;

/** An RFC 9457 document whose status is not the usual one of its code. */
const documentOf = (status: number, code: ProblemCode, detail: string): string =>
  JSON.stringify({ ...new Problem(code, detail).toJson(), status });

/** Answers bytes that never became a request, and closes the connection: the start of the next request is unknown. */
export function answerParserError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // Half of an answer may already be sent. The client would take a second answer for the rest of it.
  const { _httpMessage: underWay } = socket as { _httpMessage?: { headersSent?: boolean } | null };
  if (!socket.writable || underWay?.headersSent === true) return void socket.destroy();
  const [status, code, detail] = REFUSALS[error.code ?? ''] ?? MALFORMED;
  const body = documentOf(status, code, detail);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroySoon());
}

/** An `Expect` that is not `100-continue` gets a document too; Node would answer it with an empty 417. */
export function answerExpectations(server: Server): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const body = documentOf(417, 'malformed_request', 'this expectation cannot be met');
    response.writeHead(417, {
      'content-type': 'application/problem+json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    });
    response.end(body);
  });
}
