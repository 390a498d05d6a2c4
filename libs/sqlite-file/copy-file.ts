import { chmodSync, closeSync, openSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { closeQuietly } from './open-file.js';
import { syncPath } from './sync-path.js';

/** Pages of one step. Other work of this process gets a turn between two steps. */
const PAGES_AT_ONCE = 4_096;

/**
 * Copies a database as of one moment, while other processes write it. The copy is one file that needs no write-ahead log,
 * has mode 0600 and is durable. A writer waits for nothing, but the write-ahead log of the source cannot shrink meanwhile.
 * Throws the errors of SQLite and the file system, and EEXIST if there is a file with that name.
 */
export async function copyDatabase(from: string, to: string): Promise<void> {
  closeSync(openSync(to, 'wx', 0o600));
  // It creates nothing if the source is missing.
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5_000 });
  try {
    // A read transaction fixes the moment. Without it, SQLite would start over at each write of another process.
    source.exec('BEGIN');
    source.prepare('SELECT count(*) FROM sqlite_schema').get();
    await backup(source, to, { rate: PAGES_AT_ONCE });
  } finally {
    closeQuietly(source);
  }
  const copy = new DatabaseSync(to);
  try {
    copy.exec('PRAGMA journal_mode = DELETE');
  } finally {
    copy.close();
  }
  chmodSync(to, 0o600);
  syncPath(to);
}

/** The findings of SQLite's own check of a whole database; empty if it is sound. Reads the file and writes nothing. */
export function faultsIn(db: DatabaseSync): string[] {
  const rows = db.prepare('PRAGMA integrity_check(10)').all();
  return rows.map((row) => String(row['integrity_check'])).filter((text) => text !== 'ok');
}
