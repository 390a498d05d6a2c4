import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, type Exits } from '../command.js';
import { runOffline } from '../offline.js';
import type { World } from '../world.js';

const PROGRAM = fileURLToPath(new URL('../../pdp/stats/main.js', import.meta.url));

/** The figures of a data folder on this machine. It asks no service. */
export function addStats(program: Command, world: World, exits: Exits): void {
  describe(program, 'stats [folder]', {
    about:
      'Show the size of a data folder (default: SALLYPORT_DATA), while the service runs or not\n\n' +
      'Events and bytes by type, payloads, documents, tasks, keys, growth per day, and the bytes of a call.',
    example: 'sallyport stats /var/lib/sallyport',
  })
    .option('--json', 'print the figures as JSON')
    .action((folder: string | undefined, { json }: { json?: boolean }) => {
      const args = [
        ...(folder === undefined ? [] : [resolve(world.cwd, folder)]),
        ...(json === true ? ['--json'] : []),
      ];
      return runOffline(PROGRAM, args, world, exits);
    });
}
