import type { Authorizing } from './measured-authorizer.js';

/** The members about a call in the log line of its failure. All are ids, and no content. */
export interface FailedCall {
  readonly taskId?: string;
  readonly callId?: string;
  /** The trace of the task, under which auditors find it. */
  readonly auditTraceId?: string | undefined;
  /** The OpenTelemetry trace of the call's span. */
  readonly traceId?: string;
}

const calls = new WeakMap<Error, FailedCall>();

/** Remembers the call that an error ended, for the line that is logged about the error. */
export function noteFailure(error: unknown, call: FailedCall): void {
  if (error instanceof Error) calls.set(error, { ...calls.get(error), ...call });
}

/** The call that an error ended; empty if it ended none. */
export const failedCallOf = (error: Error): FailedCall => calls.get(error) ?? {};

/**
 * Wraps an authorizer: a failure is logged with its call and the trace of its task. `traceOf` answers from memory; it is
 * asked first because a failed append discards the state of the task.
 */
export function notedAuthorizer(inner: Authorizing, traceOf: (taskId: string) => string | undefined): Authorizing {
  return {
    async authorize(request, caller, traceparent, aside) {
      const { taskId, callId } = request;
      const known = traceOf(taskId);
      try {
        return await inner.authorize(request, caller, traceparent, aside);
      } catch (error) {
        noteFailure(error, { taskId, callId, auditTraceId: known ?? traceOf(taskId) });
        throw error;
      }
    },
  };
}
