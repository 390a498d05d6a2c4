import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { ControlView } from '../../../libs/control/control-view.js';
import { AuthorizeRequest } from '../../../libs/calls/requests.js';
import { admitted, charge, type Principal } from '../edge/access.js';
import { isPacked, parseInput, parseJson } from '../edge/body.js';
import { lacksHost } from '../edge/body.js';
import { unwrap, type Problem } from '../edge/problem.js';
import type { Quotas } from '../edge/quotas.js';
import { traceparentOf } from '../http/traceparent.js';
import { valueBoundsOf } from '../edge/value-bounds.js';
import type { Authorizing } from '../observability/measured-authorizer.js';
import type { Tracing } from '../observability/tracing.js';
import { SMALL_BYTES } from '../overload/bodies.js';
import type { Connections } from '../overload/connections.js';
import type { Gate } from '../overload/gate.js';
import type { Settings } from '../settings.js';
import { refuseTooLarge } from './limits.js';

const PATH = '/v1/calls/authorize';
const PLAIN_JSON = new Set(['application/json', 'application/json; charset=utf-8']);

interface Parts {
  readonly authorizer: Authorizing;
  readonly view: ControlView;
  readonly quotas: Quotas;
  readonly gate: Pick<Gate, 'isFull'>;
  readonly connections: Pick<Connections, 'known'>;
  readonly limits: Settings['limits'];
  readonly tracing: Tracing | undefined;
  /** Whether there may be more requests on the connection that this one came on. */
  readonly keepsConnections: () => boolean;
  /** What a caller is told of an error, which is logged where it was not foreseen. */
  readonly problemOf: (error: unknown, traceparent: string | undefined) => Problem;
}

/**
 * A way to the authorizer past the frameworks, whose routing, hooks and streams cost about as much as the decision. It
 * takes plain requests alone: this path, a caller with the role and some quota, a small body of JSON that is announced,
 * and room to work. All others, errors among them, go on to the route of `CallsController`, which answers all alike.
 */
export function takeDirectly(server: Server, parts: Parts): void {
  const listeners = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const principal = plainCaller(request, parts);
    if (principal === undefined) for (const listener of listeners) listener.call(server, request, response);
    else receive(request, (body) => void answer(request, response, body, principal, parts));
  });
}

/** Who calls; undefined where the request is not a plain one. */
function plainCaller(request: IncomingMessage, parts: Parts): Principal | undefined {
  if (request.url !== PATH || request.method !== 'POST') return undefined;
  const { headers } = request;
  const bytes = Number(headers['content-length']);
  if (
    !(bytes > 0 && bytes <= Math.min(SMALL_BYTES, parts.limits.definitionBytes)) ||
    !PLAIN_JSON.has(headers['content-type'] ?? '') ||
    isPacked(headers) ||
    lacksHost(request)
  )
    return undefined;
  if (parts.gate.isFull()) return undefined;
  try {
    const principal = admitted(parts.view, headers.authorization, ['host']);
    // Last: what has been charged is not charged again by the route.
    charge(parts.quotas, principal, { bytes });
    parts.connections.known(request.socket);
    return principal;
  } catch {
    return undefined;
  }
}

/** Hands over the body once it is whole; what never becomes whole is ended by the server's own time limit. */
function receive(request: IncomingMessage, take: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => take(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  principal: Principal,
  parts: Parts,
): Promise<void> {
  const traceparent = traceparentOf(request);
  const { authorizer, limits, tracing } = parts;
  try {
    const asked = parseInput(
      AuthorizeRequest,
      parseJson(body, { maxDepth: limits.jsonDepth, values: valueBoundsOf(limits).definitionBytes }),
    );
    refuseTooLarge(asked, body.length, limits);
    const authorize = () => authorizer.authorize(asked, principal, traceparent);
    const tell = (traceresponse: string): void => void response.setHeader('traceresponse', traceresponse);
    const result = await (tracing === undefined ? authorize() : tracing.responses.run(tell, authorize));
    write(response, 200, 'application/json; charset=utf-8', JSON.stringify(unwrap(result)), parts);
  } catch (error) {
    const problem = parts.problemOf(error, traceparent);
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
    write(response, problem.status, 'application/problem+json; charset=utf-8', JSON.stringify(problem.toJson()), parts);
  }
}

function write(response: ServerResponse, status: number, type: string, text: string, parts: Parts): void {
  const connection = parts.keepsConnections() ? undefined : { connection: 'close' };
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...connection });
  response.end(text);
}
