/**
 * The entry of the service. It handles signals first. Loading the rest takes a third of a second. Without the handlers,
 * SIGHUP would kill the process in that time, and SIGTERM would not end it with 0.
 */
import { handleSignals } from './signals.js';

// Files that the service creates are private: the data folder holds keys, tokens and content.
process.umask(0o077);
const act = handleSignals();
try {
  const { start } = await import('./start.js');
  await start(process.env, act);
} catch (error) {
  process.stderr.write(`sallyport: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
