import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, type Exits } from '../command.js';
import { inForeground, nodeOfService } from '../service-node.js';
import type { World } from '../world.js';

const PDP = fileURLToPath(new URL('../../pdp/main.js', import.meta.url));
/** The service's own options of Node; `npm start` and deploy/Dockerfile have the same, which test/house holds equal. */
export const NODE_OPTIONS = [
  '--disable-sigusr1',
  '--use-largepages=silent',
  '--max-semi-space-size=16',
  '--max-old-space-size=2000',
] as const;

/** `sallyport serve`: the service in a process of its own, in the foreground, which gets the signals of this one. */
export function addServe(program: Command, world: World, exits: Exits): void {
  describe(program, 'serve', {
    about: 'Start the service in the foreground, with its data in ./data; settings are environment variables',
    example: 'sallyport serve',
  }).action(async () => {
    const { cwd, env } = world;
    const { code } = await inForeground(nodeOfService(), [...NODE_OPTIONS, PDP], { cwd, env });
    exits.code = code ?? 1;
  });
}
