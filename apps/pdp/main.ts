import { createLogger } from './observability/logger.js';
import { startTracing } from './observability/tracing.js';
import { openService } from './service.js';
import { readSettings } from './settings.js';
import { startServer } from './server.js';

/** How long a shutdown may take before it is forced, in milliseconds. */
const SHUTDOWN_MS = 9000;

/** Prints one clear line and fails, for any error that keeps the service from starting. */
function giveUp(error: unknown): never {
  process.stderr.write(`sallyport: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  // Files that the service creates are private: the data folder holds keys, tokens and content.
  process.umask(0o077);
  // Before the service serves, there is nothing to finish. A start may be cut short anywhere, as by a crash.
  let stop = (_: NodeJS.Signals): void => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));
  const settings = readSettings(process.env);
  const logger = createLogger(settings.logLevel);
  const tracing = await startTracing(process.env);
  const onRelayTrouble = (lane: string, reason: string): void => logger.warn({ lane, reason }, 'not sent to Kafka');
  const service = await openService(settings, { tracing, onRelayTrouble });
  const server = await startServer(service, logger).catch(async (error: unknown) => {
    await service.close();
    throw error;
  });
  if (service.tokensFile !== undefined) logger.info({ file: service.tokensFile }, 'first start: tokens written');
  logger.info({ url: server.url, grpc: server.grpc, epoch: service.control.view.directives().revision }, 'ready');

  let stopping = false;
  stop = (signal) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping');
    const forced = setTimeout(() => giveUp(new Error('the shutdown took too long')), SHUTDOWN_MS);
    forced.unref();
    server.close().then(() => process.exit(0), giveUp);
  };
}

main().catch(giveUp);
