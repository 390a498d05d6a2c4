import { Reconnecting } from '../../sqlite-file/reconnecting.js';
import { LogUnavailable, type LogReading } from '../port.js';
import { codeOf, Damaged } from './shared/errors.js';
import { readingOf } from './shared/reading.js';
import { openLogReader } from './worker/log-reader.js';

export interface ReadingLog extends LogReading {
  release(): void;
}

/**
 * The log as a worker thread reads it: by a connection of its own, in the calling thread. Each read sees everything that
 * was committed before it. Throws `LogOpenError`; later failures are `LogUnavailable`.
 */
export function openReadingLog(path: string): ReadingLog {
  const reader = new Reconnecting({
    open: () => openLogReader(path),
    keepsAfter: (error) => error instanceof Damaged,
  });
  const reading = readingOf(async (query) => {
    try {
      return reader.use((open) => open.answer(query));
    } catch (error) {
      const cause = error instanceof Damaged ? error.message : codeOf(error);
      throw new LogUnavailable(`the event log cannot be read: ${cause}`);
    }
  });
  return { ...reading, release: () => reader.close() };
}
