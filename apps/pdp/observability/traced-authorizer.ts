import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { failedCallOf, noteFailure } from './failed-calls.js';
import type { Authorizing } from './measured-authorizer.js';
import { parentOf, traceresponseOf, type TracedCall, type Tracing } from './tracing.js';

/**
 * Wraps an authorizer: each call gets a span `authorize` under the caller's trace. It is the parent of the spans
 * `decide` and `append`. A call that is not sampled passes straight through.
 */
export function tracedAuthorizer(inner: Authorizing, { tracer, calls, responses }: Tracing): Authorizing {
  return {
    async authorize(request, caller, traceparent, aside) {
      const outside = parentOf(traceparent);
      const span = tracer.startSpan('authorize', { kind: SpanKind.SERVER }, outside);
      responses.getStore()?.(traceresponseOf(span));
      if (!span.isRecording()) return inner.authorize(request, caller, traceparent, aside);
      // Ids by which a span and the audit trace find each other. The task may be of another trace than its caller.
      const { taskId, callId, capability } = request;
      span.setAttributes({
        'sallyport.task_id': taskId,
        'sallyport.call_id': callId,
        'sallyport.capability': capability,
      });
      const call: TracedCall = { parent: trace.setSpan(outside, span) };
      try {
        const result = await calls.run(call, () => inner.authorize(request, caller, traceparent, aside));
        span.setAttributes(
          result.ok
            ? {
                'sallyport.decision': result.value.decision,
                'sallyport.reason': result.value.reason,
                'sallyport.trace_id': result.value.traceId,
              }
            : { 'sallyport.refused': result.error.code },
        );
        return result;
      } catch (error) {
        noteFailure(error, { traceId: span.spanContext().traceId });
        const { auditTraceId } = error instanceof Error ? failedCallOf(error) : {};
        if (auditTraceId !== undefined) span.setAttribute('sallyport.trace_id', auditTraceId);
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
