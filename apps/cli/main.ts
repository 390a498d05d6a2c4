#!/usr/bin/env node
/**
 * The `sallyport` command. It imports nothing before it knows the version of Node, so that an old Node gets a clear
 * answer.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 12)) {
  console.error(`sallyport: needs Node 20.12 or newer, this is ${process.versions.node}`);
  process.exit(2);
}

const { exitOnSignals } = await import('./children.js');
const { run } = await import('./program.js');
const { processWorld } = await import('./world.js');

exitOnSignals();
// A closed pipe (`sallyport … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await run(process.argv.slice(2), processWorld());
