import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from './world.js';

const OLDEST_NODE = [24, 15] as const;
/** A signal to this process is one to the program that runs in its place. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

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
  const child = spawn(node, script, { stdio: 'inherit' });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
  });
}
