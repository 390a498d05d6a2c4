#!/usr/bin/env node
/**
 * `npm run demo`: the main job on a real MCP server, step by step. It starts a service of its own in a temporary folder
 * (or uses `--server <url>`). It leaves nothing behind, and exits with 1 if any step ends unexpectedly.
 */
import { Command } from 'commander';
import { exitOnSignals } from './children.js';
import { setStage } from './demo/stage.js';
import { tellStory } from './demo/story.js';
import { tellTo } from './demo/teller.js';
import { printable } from './print.js';
import { processWorld, type World } from './world.js';

const { server } = new Command('demo')
  .description('Sallyport in one story: a real file server, from unregistered to replayed')
  .option('--server <url>', 'a fresh service that runs already (its tokens: SALLYPORT_DATA/tokens.json)')
  .parse()
  .opts<{ server?: string }>();

exitOnSignals();
process.exitCode = await play(processWorld(), server);

async function play(world: World, named: string | undefined): Promise<number> {
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> =>
    work().catch((error: unknown) => void failures.push(error));
  await attempt(async () => {
    const stage = await setStage(named);
    await attempt(() => tellStory(stage, world, tellTo(world)));
    await attempt(() => stage.clear());
  });
  for (const failure of failures) {
    const why = failure instanceof Error ? failure.message : 'unknown error';
    world.err(`\nThe demonstration failed: ${printable(why, 2000)}\n`);
  }
  if (failures.length === 0) world.out('\nEvery step ended as it should.\n');
  return failures.length === 0 ? 0 : 1;
}
