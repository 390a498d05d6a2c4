import { AsyncLocalStorage } from 'node:async_hooks';
import { context, propagation, trace, type Context, type Span, type Tracer } from '@opentelemetry/api';
import { spanExporter, type SpanNotices } from './span-exporter.js';

/** How long a shutdown waits for the last spans, in milliseconds: a receiver that hangs must not delay it. */
const FLUSH_MS = 2000;

/** Samples about one in a hundred calls that come without a trace. A caller with a trace decides for itself. */
const SAMPLER = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' };

/** A call that is being traced: the parent of its spans, and the current decision. */
export interface TracedCall {
  readonly parent: Context;
  deciding?: Span | undefined;
}

const UNHEARD: SpanNotices = { onTrouble: () => undefined, onRecovered: () => undefined };

/** The parts that the tracing wrappers share. */
export interface Tracing {
  readonly tracer: Tracer;
  /** The call of the current chain of promises; empty if that call is not traced. */
  readonly calls: AsyncLocalStorage<TracedCall>;
  /** Receives the `traceresponse` (W3C Trace Context, level 2) for the call of the current request. */
  readonly responses: AsyncLocalStorage<(traceresponse: string) => void>;
  /** Sends the remaining spans, within a time limit. */
  stop(): Promise<void>;
}

/**
 * Starts OpenTelemetry if `OTEL_EXPORTER_OTLP_ENDPOINT` is set; otherwise none of it is loaded. The SDK reads all other
 * settings (`OTEL_*`). Throws one line for an operator if the endpoint is unusable. It sends only traces: metrics go to Prometheus, and logs to standard output.
 */
export async function startTracing(
  environment: NodeJS.ProcessEnv,
  notices: SpanNotices = UNHEARD,
): Promise<Tracing | undefined> {
  if ((environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '') === '') return undefined;
  if (environment['OTEL_TRACES_SAMPLER'] === undefined) Object.assign(environment, SAMPLER);
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  // Of the detectors only the one that reads OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME: traces must not reveal the
  // host name, user and command line of the process.
  environment['OTEL_NODE_RESOURCE_DETECTORS'] ??= 'env';
  const traceExporter = spanExporter(environment, notices);
  const sdk = new NodeSDK({
    ...nameOf(environment),
    metricReaders: [],
    logRecordProcessors: [],
    ...(traceExporter === undefined ? {} : { traceExporter }),
  });
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

/** The name of the service, unless the operator gives one. The SDK prefers this one to that of the environment. */
function nameOf(environment: NodeJS.ProcessEnv): { serviceName?: string } {
  const { OTEL_SERVICE_NAME: name = '', OTEL_RESOURCE_ATTRIBUTES: attributes = '' } = environment;
  if (name !== '') return { serviceName: name };
  return /(^|,)\s*service\.name\s*=/.test(attributes) ? {} : { serviceName: 'sallyport' };
}

/** The caller's trace as the parent of ours; a root if the caller sent no valid one. */
export function parentOf(traceparent: string | undefined): Context {
  const root = context.active();
  return traceparent === undefined ? root : propagation.extract(root, { traceparent });
}

export function traceresponseOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
