#!/usr/bin/env node
/**
 * The `sallyport` command. It imports none of the program before it knows the version of Node: an older one runs this
 * file again on the Node that the package brings, which has all that the program uses.
 */
const { isNewEnough, nodeOfService, runAgain } = await import('./service-node.js');

try {
  if (isNewEnough()) await main();
  else process.exitCode = await runAgain(nodeOfService(), process.argv.slice(1));
} catch (error) {
  console.error(`sallyport: ${error instanceof Error ? error.message : 'unknown error'}`);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const { exitOnSignals } = await import('./children.js');
  const { run } = await import('./program.js');
  const { processWorld } = await import('./world.js');

  exitOnSignals();
  // A closed pipe (`sallyport … | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.exitCode = await run(process.argv.slice(2), processWorld());
}
