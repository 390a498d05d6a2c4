import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf, LogOpenError, openErrorOf } from '../shared/errors.js';
import { syncPath } from '../shared/sync-path.js';

/**
 * Makes the folder of a database file where it is missing, and sees that both can be written. Answers the file's real
 * path: a link to it must not lead to a second lock.
 */
export function preparePlace(file: string): string {
  const folder = dirname(resolve(file));
  try {
    const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
    // A folder that a power cut takes back would take the log with it.
    for (let path = folder; ; path = dirname(path)) {
      syncPath(path);
      if (path === dirname(made ?? folder)) break;
    }
  } catch (error) {
    throw new LogOpenError('no_folder', `the folder of ${file} cannot be made: ${codeOf(error)}`);
  }
  const path = existsSync(file) ? realpathSync(file) : join(realpathSync(folder), basename(file));
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new LogOpenError('read_only', `${file} or its folder cannot be written: ${codeOf(error)}`);
  }
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
    throw new LogOpenError('not_a_database', `${file} is not a file`);
  }
  return path;
}

/**
 * Holds the log for this process until it is released: an exclusive transaction on a small database beside it, which
 * is a lock of the operating system and goes with the process, however it ends. (`locking_mode=EXCLUSIVE` on the log
 * itself would shut out our own readers.)
 */
export function holdLock(path: string, file: string): { release(): void } {
  let lock: DatabaseSync | undefined;
  try {
    // Whoever can open this file can hold the lock, so it belongs to its owner alone.
    const lockFile = `${path}-lock`;
    closeSync(openSync(lockFile, 'a', 0o600));
    // Of earlier versions it has the mode that the umask gave it; only its owner can change that.
    if (statSync(lockFile).uid === process.getuid?.()) chmodSync(lockFile, 0o600);
    lock = new DatabaseSync(`${path}-lock`, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock?.close();
    throw openErrorOf(error, file);
  }
  const held = lock;
  return { release: () => held.close() };
}
