import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../support/root.js';
import type { Row } from './table.js';

const run = promisify(execFile);
/** Its real path: npm writes paths into its lock file that lead nowhere if the folder is behind a link. */
const CACHE = join(realpathSync(join(projectRoot, 'node_modules')), '.cache', 'servers');
const INSTALL_MS = 300_000;

/**
 * The message of pip, or of Python's start, if nothing can be had from PyPI at all. A wrong version has another
 * message.
 */
export const UNAVAILABLE = /from versions: none|NewConnectionError|timed out|ENOENT|No module named (venv|ensurepip)/;

/**
 * Installs one exact version into a folder of its own, once, and gives the program to start. Install scripts of npm
 * packages do not run. Rejects if the version cannot be installed; without an answer of PyPI, or without Python, it
 * says so.
 */
export async function installed({
  registry,
  name,
  version,
  bin,
}: Pick<Row, 'registry' | 'name' | 'version' | 'bin'>): Promise<string | { unavailable: string }> {
  const folder = join(CACHE, registry, `${name.replaceAll('/', '+')}@${version}`);
  const program = join(folder, ...(registry === 'npm' ? ['node_modules', '.bin'] : ['bin']), bin);
  const done = join(folder, '.installed');
  if (existsSync(done)) return program;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (registry === 'npm') {
    // A project of its own: npm would install into the nearest folder above that has a package.json.
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await quietly('npm', ['install', '--prefix', folder, ...options, `${name}@${version}`], folder);
  } else {
    const failure = await fromPypi(folder, `${name}==${version}`).catch((error: unknown) => String(error));
    if (failure !== undefined && UNAVAILABLE.test(failure)) {
      return { unavailable: `PyPI or Python cannot be had here: ${failure.slice(0, 200)}` };
    }
    if (failure !== undefined) throw new Error(failure);
  }
  writeFileSync(done, '');
  return program;
}

async function fromPypi(folder: string, requirement: string): Promise<undefined> {
  await quietly('python3', ['-m', 'venv', folder], folder);
  await quietly(join(folder, 'bin', 'pip'), ['install', '--quiet', requirement], folder);
}

/** Runs a program for its effect. Rejects with what it said if it fails. */
export async function quietly(program: string, args: readonly string[], cwd: string): Promise<void> {
  await run(program, args, { cwd, timeout: INSTALL_MS, maxBuffer: 16 * 1024 * 1024 });
}
