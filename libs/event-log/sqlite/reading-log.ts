import { Reconnecting } from '../../sqlite-file/reconnecting.js';
import type { DamagedPlace, LogReading } from '../port.js';
import { Damaged, failureOf, readErrorOf } from './shared/errors.js';
import { damagedIn, readingOf } from './shared/reading.js';
import { openLogReader } from './worker/log-reader.js';

export interface ReadingLog extends LogReading {
  release(): void;
}

/**
 * The log as auditors read it: by a connection of its own, in the calling thread. Each read sees everything that was
 * committed before it, with damaged events in their places (`isDamaged`): nothing may be decided by it. `onDamaged`
 * hears of each such event, each time that it is read. Throws `LogOpenError`; later failures are `LogUnavailable`.
 */
export function openReadingLog(path: string, onDamaged: (place: DamagedPlace) => void): ReadingLog {
  const reader = new Reconnecting({
    open: () => openLogReader(path),
    keepsAfter: (error) => error instanceof Damaged,
  });
  const reading = readingOf(async (query) => {
    try {
      const found = reader.use((open) => open.answer(query));
      damagedIn(query, found).forEach(onDamaged);
      return found;
    } catch (error) {
      throw readErrorOf(failureOf(error));
    }
  }, 'shown');
  return { ...reading, release: () => reader.close() };
}
