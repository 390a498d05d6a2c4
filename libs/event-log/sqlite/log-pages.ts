import type { RecordedEvent } from '../port.js';
import { firstNumber, pageIn } from './shared/reading.js';
import { openLogReader } from './worker/log-reader.js';

/** A connection for one thread that reads the log in pages. A damaged event throws: sealed events have to be whole. */
export interface LogPages {
  /** Events of these categories after a position, in order; fewer than `limit` if they are large. */
  all(after: number, categories: readonly string[], limit: number): readonly RecordedEvent[];
  /** Events of a stream after a revision, in order. */
  stream(stream: string, after: number, limit: number): readonly RecordedEvent[];
  /** The revision of a stream's last event; 0 if there is none. */
  head(stream: string): number;
  /** The position of the last event; 0 in an empty log. */
  end(): number;
  close(): void;
}

/** Opens a log that its writer has opened before. Throws `LogOpenError`; each read throws the errors of SQLite and `Damaged`. */
export function openLogPages(path: string): LogPages {
  const reader = openLogReader(path);
  return {
    all: (after, categories, limit) => pageIn(reader.answer({ kind: 'all', after, categories, limit })).events,
    stream: (stream, after, limit) => pageIn(reader.answer({ kind: 'stream', stream, after, limit })).events,
    head: (stream) => firstNumber(reader.answer({ kind: 'head', stream })),
    end: () => firstNumber(reader.answer({ kind: 'end' })),
    close: () => reader.close(),
  };
}
