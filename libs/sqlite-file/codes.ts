import { getSystemErrorName } from 'node:util';

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

/** The name of SQLite's or the system's code of an error. Takes nothing from its message, which may hold SQL or a path. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'UNKNOWN';
  if ('errcode' in error && typeof error.errcode === 'number') {
    // The low byte is the primary code, the rest says which of its cases.
    return SQLITE_CODES[error.errcode & 0xff] ?? `SQLITE_${error.errcode}`;
  }
  if ('errno' in error && typeof error.errno === 'number') return getSystemErrorName(error.errno);
  return error instanceof Error ? error.name : 'UNKNOWN';
}

/** Whether SQLite says that the file is damaged or is no database. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB';
}
