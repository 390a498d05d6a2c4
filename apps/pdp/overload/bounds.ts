import type { Registry } from 'prom-client';
import type { Clock } from '../../../libs/kernel/time.js';
import { addGauge } from '../observability/gauges.js';
import type { Settings } from '../settings.js';
import { Gate } from './gate.js';
import { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';

/** Open gRPC calls of callers without a token: health checks, and calls that stay open longer. */
const MAX_CHECKS = 64;
const MAX_STRANGERS = 64;

/** The bounds of the service as a whole, over all protocols. */
export interface Bounds {
  /** Work for hosts. */
  readonly calls: Gate;
  /** Requests under `/v1/audit`. */
  readonly audits: FairShareLimiter;
  /** Bytes of larger bodies in memory. */
  readonly bodies: FairShareLimiter;
  /** Bytes of larger responses in progress, times the copies that the work makes. */
  readonly texts: FairShareLimiter;
  /** Open gRPC calls. */
  readonly grpcCalls: FairShareLimiter;
  /** Open gRPC calls of callers without a token: health checks, and calls that stay open, by connection. */
  readonly grpcChecks: FairShareLimiter;
  readonly grpcStrangers: FairShareLimiter;
  /** Watches of directives that are open, over HTTP and gRPC. */
  readonly watches: FairShareLimiter;
}

export function openBounds({ bounds }: Pick<Settings, 'bounds'>, clock: Clock, registry: Registry): Bounds {
  const { callsInFlight, callWaitMs, auditQueries, bodiesBytes, grpcCalls, watches } = bounds;
  const opened: Bounds = {
    calls: new Gate({ clock, maxInFlight: callsInFlight, maxWaitMs: callWaitMs }),
    // One auditor that asks all the time must not take the places of the others.
    audits: new FairShareLimiter(2 * auditQueries, auditQueries),
    bodies: new FairShareLimiter(bodiesBytes),
    texts: new FairShareLimiter(2 * bodiesBytes),
    grpcCalls: new FairShareLimiter(grpcCalls),
    grpcChecks: new FairShareLimiter(MAX_CHECKS, MAX_CHECKS),
    grpcStrangers: new FairShareLimiter(MAX_STRANGERS, MAX_STRANGERS),
    watches: new FairShareLimiter(watches),
  };
  const { calls, audits, bodies, texts } = opened;
  addGauge(registry, 'sallyport_calls_in_flight', 'Requests of hosts that are worked on.', () => calls.inFlight);
  addGauge(registry, 'sallyport_audit_queries_in_flight', 'Audit queries that are worked on.', () => audits.inUse);
  addGauge(registry, 'sallyport_body_bytes', 'Bytes of larger request bodies that are held.', () => bodies.inUse);
  addGauge(registry, 'sallyport_response_bytes', 'Bytes held for larger responses that are worked on.', () => {
    return texts.inUse;
  });
  addGauge(registry, 'sallyport_grpc_calls', 'Calls over gRPC that are open.', () => opened.grpcCalls.inUse);
  addGauge(registry, 'sallyport_grpc_calls_without_token', 'Calls over gRPC that are open without a token.', () => {
    return opened.grpcChecks.inUse + opened.grpcStrangers.inUse;
  });
  addGauge(registry, 'sallyport_watches', 'Watches of directives that are open.', () => opened.watches.inUse);
  return opened;
}
