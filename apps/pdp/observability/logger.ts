import { pino, stdTimeFunctions, type Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Lines about requests that failed, each second: where all of them fail, a line for each would fill the disk. */
const MAX_FAILURES_PER_S = 20;

/** JSON lines on standard output: one for each start, stop and error, and none for a request. */
export function createLogger(level: LogLevel): Logger {
  return pino({ base: null, level, timestamp: stdTimeFunctions.isoTime });
}

export type LogFailure = (fields: Record<string, unknown>) => void;

/** Logs requests that could not be completed, so many a second; the next line says how many were left out before it. */
export function failureLog(logger: Logger, nowMs: () => number = () => performance.now()): LogFailure {
  let sinceMs = -Infinity;
  let lines = 0;
  let leftOut = 0;
  return (fields) => {
    if (nowMs() - sinceMs >= 1000) [sinceMs, lines] = [nowMs(), 0];
    lines += 1;
    if (lines > MAX_FAILURES_PER_S) {
      leftOut += 1;
      return;
    }
    logger.error({ ...fields, ...(leftOut === 0 ? {} : { leftOut }) }, 'a request could not be completed');
    leftOut = 0;
  };
}
