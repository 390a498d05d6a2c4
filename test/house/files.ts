import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';

/** The files that git tracks or would track, by the ends of their names. Empty in an unpacked archive without git. */
export function tracked(...endings: string[]): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  return listed
    .split('\n')
    .filter((path) => endings.some((ending) => path.endsWith(ending)) && existsSync(join(projectRoot, path)));
}

export const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
