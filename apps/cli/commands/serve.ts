import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, type Exits } from '../command.js';
import { nodeOfService } from '../service-node.js';
import type { World } from '../world.js';

const PDP = fileURLToPath(new URL('../../pdp/main.js', import.meta.url));
/** The service's own options of Node; `npm start` and deploy/Dockerfile have the same, which test/house holds equal. */
export const NODE_OPTIONS = [
  '--disable-sigusr1',
  '--use-largepages=silent',
  '--max-semi-space-size=16',
  '--max-old-space-size=2000',
] as const;
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
