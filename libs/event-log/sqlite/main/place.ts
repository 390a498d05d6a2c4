import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { holdLock } from '../../../sqlite-file/hold-lock.js';
import { syncPath } from '../../../sqlite-file/sync-path.js';
import { codeOf, LogOpenError, openErrorOf } from '../shared/errors.js';

/**
 * Checks that a database file and its folder can be written. It never makes the folder: if it is missing, its volume is
 * probably not mounted, and the log would go to the disk below. Returns the real path of the file: a link to it must not
 * lead to a second lock.
 */
export function preparePlace(file: string): string {
  const folder = dirname(resolve(file));
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new LogOpenError('no_folder', `the folder of ${file} does not exist. Is its volume mounted?`);
  }
  try {
    // A new folder that a power cut takes back would take the log with it.
    for (const path of [folder, dirname(folder)]) syncPath(path);
  } catch (error) {
    throw new LogOpenError('no_folder', `the folder of ${file} cannot be synced to a disk: ${codeOf(error)}`);
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
