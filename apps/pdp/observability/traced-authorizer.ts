import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Authorizing } from './measured-authorizer.js';
import { parentOf, traceresponseOf, type TracedCall, type Tracing } from './tracing.js';

/**
 * Wraps an authorizer: each call gets a span `authorize` under the caller's trace. It is the parent of the spans
 * `decide` and `append`. A call that is not sampled passes straight through.
 */
export function tracedAuthorizer(inner: Authorizing, { tracer, calls, responses }: Tracing): Authorizing {
  return {
    async authorize(request, caller, traceparent) {
      const outside = parentOf(traceparent);
      const span = tracer.startSpan('authorize', { kind: SpanKind.SERVER }, outside);
      responses.getStore()?.(traceresponseOf(span));
      if (!span.isRecording()) return inner.authorize(request, caller, traceparent);
      const call: TracedCall = { parent: trace.setSpan(outside, span) };
      try {
        const result = await calls.run(call, () => inner.authorize(request, caller, traceparent));
        span.setAttributes(
          result.ok
            ? { 'sallyport.decision': result.value.decision, 'sallyport.reason': result.value.reason }
            : { 'sallyport.refused': result.error.code },
        );
        return result;
      } catch (error) {
        // Only the name of the error is recorded: its message may quote a caller.
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'Error' });
        throw error;
      } finally {
        call.deciding?.end();
        span.end();
      }
    },
  };
}
