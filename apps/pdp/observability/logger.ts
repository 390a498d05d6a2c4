import { pino, stdTimeFunctions, type Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on standard output: one for each start, stop and error, and none for a request. */
export function createLogger(level: LogLevel): Logger {
  return pino({ base: null, level, timestamp: stdTimeFunctions.isoTime });
}
