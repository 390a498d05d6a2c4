import { pino, stdTimeFunctions, type Logger } from 'pino';
import { TokenBucket } from '../../../libs/kernel/token-bucket.js';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Most lines a second about failed requests. If all requests fail, a line for each would fill the disk. */
const MAX_FAILURES_PER_S = 20;

/** JSON lines on standard output: one for each start, stop and error, and none for requests. */
export function createLogger(level: LogLevel): Logger {
  return pino({ base: null, level, timestamp: stdTimeFunctions.isoTime });
}

export type LogFailure = (fields: Record<string, unknown>) => void;

/** Logs requests that could not be completed, up to a rate. The next line says how many were left out before it. */
export function failureLog(logger: Logger, nowMs: () => number = () => performance.now()): LogFailure {
  const lines = new TokenBucket(MAX_FAILURES_PER_S, MAX_FAILURES_PER_S, nowMs);
  let leftOut = 0;
  return (fields) => {
    if (!lines.take()) {
      leftOut += 1;
      return;
    }
    logger.error({ ...fields, ...(leftOut === 0 ? {} : { leftOut }) }, 'a request could not be completed');
    leftOut = 0;
  };
}
