import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * Holds a database for this process until the lock is released: an exclusive transaction on a small database next to it,
 * named `<path>-lock`. That is a lock of the operating system, which ends with the process however it ends.
 * (`locking_mode = EXCLUSIVE` on the database itself would shut out our own readers.) Throws SQLITE_BUSY if another
 * process holds it, and the errors of SQLite and the file system.
 */
export function holdLock(path: string): { release(): void } {
  const file = `${path}-lock`;
  // Anyone who can open this file can hold the lock, so only its owner may.
  closeSync(openSync(file, 'a', 0o600));
  // Earlier versions made it with the mode that the umask gave; only its owner can change that.
  if (statSync(file).uid === process.getuid?.()) chmodSync(file, 0o600);
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    throw error;
  }
  return { release: () => db.close() };
}
