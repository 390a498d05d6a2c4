import { getSystemErrorName } from 'node:util';

export type LogOpenCode =
  | 'no_folder'
  | 'read_only'
  | 'in_use'
  | 'not_a_database'
  | 'foreign_database'
  | 'newer_schema'
  | 'damaged'
  | 'cannot_open';

/** Why the log cannot be opened, in one line for whoever starts the service. */
export class LogOpenError extends Error {
  override readonly name = 'LogOpenError';

  constructor(
    readonly code: LogOpenCode,
    message: string,
  ) {
    super(message);
  }
}

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const SQLITE_CODES: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  7: 'SQLITE_NOMEM',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  15: 'SQLITE_PROTOCOL',
  18: 'SQLITE_TOOBIG',
  19: 'SQLITE_CONSTRAINT',
  26: 'SQLITE_NOTADB',
};

/** The name of SQLite's or the system's code of an error, and nothing of its message, which may hold SQL or a path. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'UNKNOWN';
  if ('errcode' in error && typeof error.errcode === 'number') {
    // The low byte is the primary code, the rest says which of its cases.
    return SQLITE_CODES[error.errcode & 0xff] ?? `SQLITE_${error.errcode}`;
  }
  if ('errno' in error && typeof error.errno === 'number') return getSystemErrorName(error.errno);
  return error instanceof Damaged ? 'DAMAGED' : error instanceof Error ? error.name : 'UNKNOWN';
}

/** What was read is not what was written. The message names a position or a digest and nothing else. */
export class Damaged extends Error {
  override readonly name = 'Damaged';
}

/** The one line of a file that SQLite would not open. */
export function openErrorOf(error: unknown, file: string): LogOpenError {
  if (error instanceof LogOpenError) return error;
  const code = codeOf(error);
  switch (code) {
    case 'SQLITE_NOTADB':
      return new LogOpenError('not_a_database', `${file} is not a database, or its header is damaged`);
    case 'SQLITE_CORRUPT':
      return new LogOpenError('damaged', `${file} is damaged: restore it from a backup`);
    case 'SQLITE_READONLY':
      return new LogOpenError('read_only', `${file} or its folder cannot be written`);
    case 'SQLITE_BUSY':
      return new LogOpenError('in_use', `another process is using ${file}`);
    default:
      return new LogOpenError('cannot_open', `${file} cannot be opened: ${code}`);
  }
}
