import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { callerOf, operationOf } from '../edge/access.js';
import { Overloaded } from '../edge/problem.js';
import { addGauge, addTotal } from '../observability/gauges.js';
import type { Settings } from '../settings.js';
import { boundBodies } from './bodies.js';
import type { Bounds } from './bounds.js';
import { onceClosed } from '../http/work.js';
import { Connections } from './connections.js';
import type { Refusals } from './refusals.js';

/** The longest time for the head of a request, in milliseconds. */
const HEAD_MS = 10_000;

/** Options of an HTTP/1.1 server that close slow clients and half-open connections in time. */
export const timeLimits = ({ clientMs }: Settings['bounds']) => ({
  headersTimeout: Math.min(HEAD_MS, clientMs),
  requestTimeout: clientMs,
  // Node checks its time limits only this often; its own default is 30 s.
  connectionsCheckingInterval: Math.min(1000, clientMs / 4),
  // `refuseUnreadable` checks the header, and answers with a problem document.
  requireHostHeader: false,
});

/** Call this after `onRequest` authenticates callers, and before there are routes. */
export function boundHttp(
  server: FastifyInstance,
  { bounds, limits, tls }: Settings,
  { calls, audits, bodies }: Bounds,
  registry: Registry,
  refused: Refusals['refused'],
): Connections {
  const { connections: maxConnections, clientMs: unreadMs } = bounds;
  const connections = new Connections(
    server.server,
    { maxConnections, unreadMs, onEvicted: () => refused('connections', undefined) },
    tls !== undefined,
  );
  addGauge(registry, 'sallyport_http_connections', 'Connections of the HTTP interface.', () => connections.open);
  addTotal(registry, 'sallyport_http_connections_cut_total', 'Connections that were cut: too many, or unread.', () => {
    return connections.evicted + connections.unread;
  });
  server.addHook('onRequest', (request, reply, done) => {
    if (request.principal === undefined) return done();
    connections.known(request.raw.socket);
    const admission = operationOf(request)?.admission;
    try {
      // This runs before the body is read.
      if (admission === 'calls') calls.refuseIfFull();
      if (admission === 'audits') {
        const hold = audits.hold(callerOf(request).name);
        if (!hold.take(1)) throw new Overloaded('audits', 'too many audit queries are under way');
        onceClosed(reply.raw, () => void Promise.resolve(request.work).then(() => hold.end()));
      }
    } catch (error) {
      return done(error as Error);
    }
    done();
  });
  boundBodies(server, bodies, limits);
  return connections;
}
