import { pino, stdTimeFunctions, type Logger } from 'pino';
import { TokenBucket } from '../../../libs/kernel/token-bucket.js';
import { VERSION } from '../../../libs/kernel/version.js';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Most lines a second about failed requests. If all requests fail, a line for each would fill the disk. */
const MAX_FAILURES_PER_S = 20;
/** A store that fails ends every request with one of these codes. Each code has one line in this time. */
const SHARED_CODES = ['log_unavailable', 'outcome_unknown', 'view_stale'] as const;
const SHARED_LINE_S = 10;

/**
 * JSON lines on standard output: one for each start, stop, reload and error, and none for requests. Each names its level
 * as a word, the service, its version and its process.
 */
export function createLogger(level: LogLevel): Logger {
  return pino({
    base: { service: 'sallyport', version: VERSION, pid: process.pid },
    level,
    formatters: { level: (label) => ({ level: label }) },
    timestamp: stdTimeFunctions.isoTime,
  });
}

/** The level that an environment asks for. A start with wrong settings has to say so too. */
export const levelIn = (text: string | undefined): LogLevel => LOG_LEVELS.find((each) => each === text) ?? 'info';

/** An unforeseen error by its name and place. Its message may quote a caller. */
export function placeOf(error: Error): { readonly error: string; readonly at: string[] | undefined } {
  const at = error.stack
    ?.split('\n')
    // The message may have several lines, and quote a caller.
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 5)
    .map((line) => line.trim());
  return { error: error.name, at };
}

export type LogFailure = (fields: Record<string, unknown>) => void;

/**
 * Logs requests that could not be completed, up to a rate. If requests fail because of the store, one line in 10 seconds
 * covers all of them. The next line says how many were left out before it.
 */
export function failureLog(logger: Logger, nowMs: () => number = () => performance.now()): LogFailure {
  const shared = new Map<unknown, TokenBucket>(
    SHARED_CODES.map((code) => [code, new TokenBucket(1, 1 / SHARED_LINE_S, nowMs)]),
  );
  const lines = new TokenBucket(MAX_FAILURES_PER_S, MAX_FAILURES_PER_S, nowMs);
  let leftOut = 0;
  return (fields) => {
    if (!(shared.get(fields['code']) ?? lines).take()) {
      leftOut += 1;
      return;
    }
    logger.error({ ...fields, ...(leftOut === 0 ? {} : { leftOut }) }, 'a request could not be completed');
    leftOut = 0;
  };
}
