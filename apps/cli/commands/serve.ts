import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, type Exits } from '../command.js';
import { UsageError, type World } from '../world.js';

const PDP = fileURLToPath(new URL('../../pdp/main.js', import.meta.url));
/** The service's own options of Node; `npm start` and deploy/Dockerfile have the same, which test/house holds equal. */
export const NODE_OPTIONS = [
  '--disable-sigusr1',
  '--use-largepages=silent',
  '--max-semi-space-size=16',
  '--max-old-space-size=2000',
] as const;
const OLDEST_NODE = [24, 15] as const;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;

/** `sallyport serve`: the service in a process of its own, in the foreground, which gets the signals of this one. */
export function addServe(program: Command, world: World, exits: Exits): void {
  describe(program, 'serve', {
    about: 'Start the service in the foreground, with its data in ./data; settings are environment variables',
    example: 'sallyport serve',
  }).action(async () => {
    const child = spawn(nodeOfService(), [...NODE_OPTIONS, PDP], { cwd: world.cwd, env: world.env, stdio: 'inherit' });
    // The service ends by itself after a signal, with what it has accepted; this process waits for it.
    for (const signal of SIGNALS) process.removeAllListeners(signal).on(signal, () => child.kill(signal));
    const [code] = (await once(child, 'exit')) as [number | null];
    exits.code = code ?? 1;
  });
}

/** This Node, or the one that the package brings for its platform if this one is too old for the service. */
function nodeOfService(): string {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return process.execPath;
  const [platform, file] = process.platform === 'win32' ? ['win', 'node.exe'] : [process.platform, 'node'];
  try {
    const brought = createRequire(import.meta.url).resolve(`node-${platform}-${process.arch}/package.json`);
    return join(dirname(brought), 'bin', file);
  } catch {
    throw new UsageError(`the service needs Node ${OLDEST_NODE.join('.')} or newer, this is ${process.versions.node}`);
  }
}
