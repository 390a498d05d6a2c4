import { AsyncLocalStorage } from 'node:async_hooks';
import { context, propagation, trace, type Context, type Span, type Tracer } from '@opentelemetry/api';

/** How long a shutdown waits for the last spans, in milliseconds: a receiver that hangs must not hold it up. */
const FLUSH_MS = 2000;

/** About one in a hundred calls without a caller's own trace; a caller that traces decides for itself. */
const SAMPLER = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' };

/** A call that is being traced: whose child its spans are, and the decision that is under way. */
export interface TracedCall {
  readonly parent: Context;
  deciding?: Span | undefined;
}

/** What the tracing wrappers share. */
export interface Tracing {
  readonly tracer: Tracer;
  /** The call that the current chain of promises belongs to; empty for one that nobody looks at. */
  readonly calls: AsyncLocalStorage<TracedCall>;
  /** Told the `traceresponse` (W3C Trace Context, level 2) of the call of the current request. */
  readonly responses: AsyncLocalStorage<(traceresponse: string) => void>;
  /** Sends what is left, within a bound. */
  stop(): Promise<void>;
}

/**
 * Starts OpenTelemetry where `OTEL_EXPORTER_OTLP_ENDPOINT` is set; else nothing of it is even loaded. All other settings
 * are those of its SDK (`OTEL_*`). Traces only: metrics are Prometheus', and logs go to standard output.
 */
export async function startTracing(environment: NodeJS.ProcessEnv): Promise<Tracing | undefined> {
  if ((environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '') === '') return undefined;
  if (environment['OTEL_TRACES_SAMPLER'] === undefined) Object.assign(environment, SAMPLER);
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const serviceName = environment['OTEL_SERVICE_NAME'] ?? 'sallyport';
  // No detectors: host name, user and command line of the process are nobody's business.
  const sdk = new NodeSDK({ serviceName, autoDetectResources: false, metricReaders: [], logRecordProcessors: [] });
  sdk.start();
  return {
    tracer: trace.getTracer('sallyport'),
    calls: new AsyncLocalStorage(),
    responses: new AsyncLocalStorage(),
    async stop() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, FLUSH_MS);
      await Promise.race([sdk.shutdown().catch(() => undefined), late.promise]);
      clearTimeout(timer);
    },
  };
}

/** The caller's trace as the parent of ours; a root where it sent none that is valid. */
export function parentOf(traceparent: string | undefined): Context {
  const root = context.active();
  return traceparent === undefined ? root : propagation.extract(root, { traceparent });
}

export function traceresponseOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
