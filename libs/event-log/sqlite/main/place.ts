import { accessSync, constants, existsSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { holdLock } from '../../../sqlite-file/hold-lock.js';
import { syncPath } from '../../../sqlite-file/sync-path.js';
import { codeOf, LogOpenError, openErrorOf } from '../shared/errors.js';

/**
 * Makes the folder of a database file if it is missing, and checks that both can be written. Returns the real path of
 * the file: a link to it must not lead to a second lock.
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

/** Holds the log for this process alone. Throws `LogOpenError`, with the name `file`. */
export function holdLog(path: string, file: string): { release(): void } {
  try {
    return holdLock(path);
  } catch (error) {
    throw openErrorOf(error, file);
  }
}
