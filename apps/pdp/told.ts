import { traceIdOf } from '../../libs/kernel/ids.js';
import { Overloaded, problemOf, type Problem } from './edge/problem.js';
import { failedCallOf } from './observability/failed-calls.js';
import { placeOf, type LogFailure } from './observability/logger.js';
import type { Refusals } from './overload/refusals.js';

/**
 * The problem that a caller gets for an error. An unforeseen error is logged. A refusal for load is counted for the caller,
 * whom `hostOf` names if the caller has a valid token. Every answer that is a problem passes here once.
 */
export type Told = (error: unknown, traceparent: string | undefined, hostOf: () => string | undefined) => Problem;

export const tellProblems =
  (logFailure: LogFailure, { refused }: Pick<Refusals, 'refused'>): Told =>
  (error, traceparent, hostOf) => {
    const problem = problemOf(error);
    if (problem instanceof Overloaded) refused(problem.limit, hostOf());
    if (problem.status >= 500 && error instanceof Error)
      logFailure({ ...placeOf(error), code: problem.code, traceId: traceIdOf(traceparent), ...failedCallOf(error) });
    return problem;
  };
