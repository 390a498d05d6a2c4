import { SpanStatusCode } from '@opentelemetry/api';
import type { SettledLog } from '../../../libs/event-log/settled.js';
import type { Tracing } from './tracing.js';

/** Wraps a log: each append of a traced call gets a span `append`. The decision has been made before it begins. */
export function tracedLog(log: SettledLog, { tracer, calls }: Tracing): SettledLog {
  return {
    ...log,
    async append(batch) {
      const call = calls.getStore();
      if (call === undefined) return log.append(batch);
      call.deciding?.end();
      call.deciding = undefined;
      const span = tracer.startSpan('append', {}, call.parent);
      try {
        const outcome = await log.append(batch);
        span.setAttribute('sallyport.outcome', outcome.kind);
        return outcome;
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'Error' });
        throw error;
      } finally {
        span.end();
      }
    },
  };
}
