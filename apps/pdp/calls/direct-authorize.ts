import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { authorizeCall } from '../../../libs/contract/calls.js';
import type { Authenticator } from '../../../libs/authentication/authenticator.js';
import { admitted, callerOf, charge, type Principal } from '../edge/access.js';
import { credentialsOf } from '../edge/credentials.js';
import { isPacked, parseJson } from '../edge/body.js';
import { lacksHost } from '../edge/body.js';
import type { Quotas } from '../edge/quotas.js';
import { traceparentOf } from '../http/traceparent.js';
import { valueBoundsOf } from '../edge/value-bounds.js';
import type { Tracing } from '../observability/tracing.js';
import { SMALL_BYTES } from '../overload/bodies.js';
import type { Connections } from '../overload/connections.js';
import type { Gate } from '../overload/gate.js';
import type { Told } from '../told.js';
import { authorize, type AuthorizeParts } from './authorize.js';

const { path: PATH, method: METHOD } = authorizeCall;
const PLAIN_JSON = new Set(['application/json', 'application/json; charset=utf-8']);

interface Parts extends AuthorizeParts {
  readonly authenticator: Authenticator;
  readonly quotas: Quotas;
  readonly gate: Pick<Gate, 'isFull'>;
  readonly connections: Pick<Connections, 'known'>;
  readonly tracing: Tracing | undefined;
  /** Whether the connection may carry further requests. */
  readonly keepsConnections: () => boolean;
  /** The problem that the caller gets. */
  readonly told: Told;
}

/** The route of the hot path. It takes the requests that `takeDirectly` leaves, errors included. */
export function routeAuthorize(server: FastifyInstance, parts: AuthorizeParts): void {
  server.route({
    method: METHOD,
    url: PATH,
    config: { operation: authorizeCall },
    handler: (request) =>
      authorize(parts, request.body, {
        caller: callerOf(request),
        bytes: request.bodyBytes ?? 0,
        traceparent: traceparentOf(request),
      }),
  });
}

/**
 * Answers plain requests of the hot path without the frameworks: their routing, hooks and streams cost about as much as
 * the decision. A plain request has this path, a caller with the role and with quota left, and a small announced JSON
 * body. It is plain only while there is room for work. All other requests go on to the route.
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

/** The caller; undefined if the request is not plain. */
function plainCaller(request: IncomingMessage, parts: Parts): Principal | undefined {
  if (request.url !== PATH || request.method !== METHOD) return undefined;
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
    const principal = admitted(parts.authenticator, credentialsOf(request), authorizeCall.roles);
    // The charge comes last, so that the route never charges the same request again.
    charge(parts.quotas, principal, { bytes });
    parts.connections.known(request.socket);
    return principal;
  } catch {
    return undefined;
  }
}

/** Passes on the body once it is complete. The server's own time limit ends a request whose body never completes. */
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
  const { limits, tracing } = parts;
  try {
    const json = parseJson(body, { maxDepth: limits.jsonDepth, values: valueBoundsOf(limits).definitionBytes });
    const decide = () => authorize(parts, json, { caller: principal, bytes: body.length, traceparent });
    const tell = (traceresponse: string): void => void response.setHeader('traceresponse', traceresponse);
    const decision = await (tracing === undefined ? decide() : tracing.responses.run(tell, decide));
    write(response, 200, 'application/json; charset=utf-8', JSON.stringify(decision), parts);
  } catch (error) {
    const problem = parts.told(error, traceparent, () => principal.name);
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
    write(response, problem.status, 'application/problem+json; charset=utf-8', JSON.stringify(problem.toJson()), parts);
  }
}

function write(response: ServerResponse, status: number, type: string, text: string, parts: Parts): void {
  const connection = parts.keepsConnections() ? undefined : { connection: 'close' };
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...connection });
  response.end(text);
}
