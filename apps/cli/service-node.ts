import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from './world.js';

const OLDEST_NODE = [24, 15] as const;
/** A signal to this process is one to the program that runs in its place. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;

/** Whether this Node runs the service and the command line. */
export function isNewEnough(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

/** This Node, or the one that the package brings for its platform if this one is too old. Throws `UsageError`. */
export function nodeOfService(): string {
  if (isNewEnough()) return process.execPath;
  const [platform, file] = process.platform === 'win32' ? ['win', 'node.exe'] : [process.platform, 'node'];
  try {
    const brought = createRequire(import.meta.url).resolve(`node-${platform}-${process.arch}/package.json`);
    return join(dirname(brought), 'bin', file);
  } catch {
    throw new UsageError(
      `needs Node ${OLDEST_NODE.join('.')} or newer, this is ${process.versions.node}, ` +
        `and no package brought one for ${process.platform} ${process.arch}`,
    );
  }
}

/** Runs a script on another Node, in place of this process. Resolves to its exit code. */
export async function runAgain(node: string, script: readonly string[]): Promise<number> {
  const { code, signal } = await inForeground(node, script);
  return code ?? 128 + constants.signals[signal ?? 'SIGTERM'];
}

/**
 * Runs a program in the foreground, with the terminal and the signals of this process, and waits for its end. The program
 * ends by itself after a signal, with what it has accepted. Rejects if it cannot be started.
 */
export async function inForeground(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
  const child = spawn(program, args, { ...options, stdio: 'inherit' });
  for (const signal of SIGNALS) process.removeAllListeners(signal).on(signal, () => child.kill(signal));
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}
