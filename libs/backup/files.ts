import { randomUUID } from 'node:crypto';
import { copyFile, chmod } from 'node:fs/promises';
import { constants, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { FILE_NAME } from './manifest.js';
import { syncPath } from '../sqlite-file/sync-path.js';

/** Other files of the data folder above this size are none of ours. */
const MAX_SMALL_BYTES = 1_048_576;
/** Databases, which have a way of their own, with their side files; drafts; and what a restore leaves. */
const NOT_COPIED = /\.db($|-)|^\.|\.new$|[0-9a-f]{8}-[0-9a-f]{4}-/;

/** The keys, certificates and tokens at the top of a data folder, by name. `logName` is the log's. Links are not followed. */
export function smallFilesIn(folder: string, logName: string): string[] {
  return readdirSync(folder)
    .filter((name) => FILE_NAME.test(name) && !NOT_COPIED.test(name) && !name.startsWith(logName))
    .filter((name) => {
      const found = lstatSync(join(folder, name));
      return found.isFile() && found.size <= MAX_SMALL_BYTES;
    })
    .sort();
}

/** Copies a file to a new one that only its owner can read, and makes it durable. Throws EEXIST. */
export async function copyPrivately(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL);
  await chmod(to, 0o600);
  syncPath(to);
}

/** Writes a new file that only its owner can read, and makes it durable. Throws EEXIST. */
export const writePrivately = (file: string, text: string): void =>
  writeFileSync(file, text, { flag: 'wx', mode: 0o600, flush: true });

/**
 * Makes a folder (mode 0700) out of what `fill` writes. It has another name until it is whole and durable, so that a crash
 * leaves no half folder with this name. Throws EEXIST if there is something with this name.
 */
export async function makeWhole<Value>(folder: string, fill: (draft: string) => Promise<Value>): Promise<Value> {
  const target = resolve(folder);
  if (existsSync(target)) throw Object.assign(new Error(`${folder} exists already`), { code: 'EEXIST' });
  const draft = join(dirname(target), `.${basename(target)}.partial-${randomUUID()}`);
  mkdirSync(draft, { mode: 0o700 });
  try {
    const value = await fill(draft);
    syncPath(draft);
    // Fails if another process has made a folder with this name meanwhile, unless it is empty.
    renameSync(draft, target);
    syncPath(dirname(target));
    return value;
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}
