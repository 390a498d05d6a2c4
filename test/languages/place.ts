import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { quietly, UNAVAILABLE } from '../servers/install.js';
import { projectRoot } from '../support/root.js';
import type { TestService } from '../support/service.js';

const run = promisify(execFile);
export const CACHE = join(realpathSync(join(projectRoot, 'node_modules')), '.cache', 'languages');
const RUN_MS = 300_000;

/** Messages of Go, or of a shell without it, if no module can be had at all. */
export const GO_UNAVAILABLE =
  /go: (not found|command not found)|dial tcp|no such host|i\/o timeout|module lookup disabled|toolchain not available/;

/** The shell commands of an example's README, in order. */
export function commandsOf(example: string): string[] {
  const text = readFileSync(join(projectRoot, 'examples', example, 'README.md'), 'utf8');
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)];
  return blocks.flatMap(([, lines = '']) => lines.trim().split('\n'));
}

/** Copies an example, so that nothing that it makes is left in the sources. */
export function copied(example: string, folder: string): string {
  const copy = join(folder, example);
  cpSync(join(projectRoot, 'examples', example), copy, { recursive: true });
  return copy;
}

/**
 * A virtual environment with the packages of a requirements file, made once for its text. Rejects if a package cannot be
 * installed; without Python or an answer of PyPI, it says so.
 */
export async function pythonWith(requirements: string): Promise<{ venv: string } | { unavailable: string }> {
  const text = readFileSync(requirements, 'utf8');
  const venv = join(CACHE, `python-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`);
  const done = join(venv, '.installed');
  if (existsSync(done)) return { venv };
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(venv, { recursive: true });
  try {
    await quietly('python3', ['-m', 'venv', venv], CACHE);
    await quietly(join(venv, 'bin', 'pip'), ['install', '--quiet', '-r', requirements], CACHE);
  } catch (error) {
    if (UNAVAILABLE.test(String(error))) return { unavailable: `PyPI or Python cannot be had here: ${String(error)}` };
    throw error;
  }
  writeFileSync(done, '');
  return { venv };
}

/** The environment of an example: the addresses of a service, its data folder, and where the set-up writes. */
export function environment({ url, server, dataDir }: TestService, work: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: `${join(projectRoot, 'node_modules', '.bin')}${delimiter}${process.env['PATH'] ?? ''}`,
    SALLYPORT_URL: url,
    SALLYPORT_GRPC: server.grpc,
    SALLYPORT_DATA: dataDir,
    // Relative, as the default is.
    EXAMPLES_WORK: relative(projectRoot, work),
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in the folder of the checkout. Resolves with what it printed; a failure is its exit code. */
export async function ran(command: string, env: NodeJS.ProcessEnv): Promise<Ran> {
  const options = { cwd: projectRoot, env, timeout: RUN_MS, maxBuffer: 16 * 1024 * 1024 };
  return run('sh', ['-c', command], options).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (error: { code?: number; stdout?: string; stderr?: string }) => ({
      code: error.code ?? -1,
      out: error.stdout ?? '',
      err: error.stderr ?? '',
    }),
  );
}
