import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Exits } from './command.js';
import { nodeOfService } from './service-node.js';
import type { World } from './world.js';

/** Runs a program of the service that reads data folders, with the Node of the service. Its output goes to the world. */
export async function runOffline(program: string, args: readonly string[], world: World, exits: Exits): Promise<void> {
  const child = spawn(nodeOfService(), [program, ...args], {
    cwd: world.cwd,
    env: world.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.setEncoding('utf8').on('data', world.out);
  child.stderr.setEncoding('utf8').on('data', world.err);
  const [code] = (await once(child, 'close')) as [number | null];
  exits.code = code ?? 1;
}
