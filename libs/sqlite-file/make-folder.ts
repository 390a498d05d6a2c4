import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from './codes.js';

/**
 * Makes a folder, private to its owner, if it is missing. It never makes the parent: if that is missing, its volume is
 * probably not mounted, and the data would go to the disk below. (Node's `recursive` never returns in `/proc`.) Throws
 * one line for an operator.
 */
export function makeFolder(folder: string): void {
  const isThere = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
  if (isThere === true) return;
  if (isThere === false) throw new Error(`${folder} cannot be made: EEXIST, it is not a folder`);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    const code = codeOf(error);
    // Another process was faster.
    if (code === 'EEXIST' && existsSync(folder)) return;
    throw new Error(`${folder} cannot be made: ${code}${whyNot(folder, code)}`, { cause: error });
  }
}

function whyNot(folder: string, code: string): string {
  const parent = dirname(folder);
  if (!existsSync(parent)) return `, its parent ${parent} does not exist. Is its volume mounted?`;
  if (code === 'EEXIST') return ', it is a link to a place that does not exist. Is its volume mounted?';
  return '';
}
