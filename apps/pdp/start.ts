import { setImmediate as turn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createLogger, levelIn, placeOf } from './observability/logger.js';
import { startTracing } from './observability/tracing.js';
import { openService, type Service, type ServiceParts } from './service.js';
import { readSettings } from './settings.js';
import type { SignalActions } from './signals.js';

/** How long a shutdown may take before it is forced, in milliseconds. */
const SHUTDOWN_MS = 9000;

/**
 * Runs the service until a signal stops it. If it cannot start or stop, the process ends with 1. Then standard error has
 * one line for a person, and standard output has the same text in JSON.
 */
export async function start(environment: NodeJS.ProcessEnv, act: (actions: SignalActions) => void): Promise<void> {
  const logger = createLogger(levelIn(environment['SALLYPORT_LOG_LEVEL']));
  const giveUp = (error: unknown): never => {
    const message = error instanceof Error ? error.message : String(error);
    logger.fatal(message);
    process.stderr.write(`sallyport: ${message}\n`);
    process.exit(1);
  };
  process.on('uncaughtExceptionMonitor', (error) =>
    logger.fatal(placeOf(error), 'an unforeseen error ends the process'),
  );
  // A signal that came while the modules were loaded is handled here, before anything is made.
  await turn();
  try {
    const settings = readSettings(environment);
    const tracing = await startTracing(environment, {
      onTrouble: (reason) => logger.warn({ reason }, 'spans do not arrive'),
      onRecovered: () => logger.info('recovered: spans arrive again'),
    });
    // The server's modules load while the threads of the stores start. The import below throws what this one swallows.
    const onThreadsStarting = (): void => void import('./server.js').catch(() => undefined);
    const service = await openService(settings, { tracing, onThreadsStarting, ...notices(logger) });
    const server = await import('./server.js')
      .then(({ startServer }) => startServer(service, logger))
      .catch(async (error: unknown) => {
        await service.close();
        throw error;
      });
    if (service.tokensFile !== undefined) logger.info({ file: service.tokensFile }, 'tokens written');
    const { url, bound } = server;
    if (service.seal?.thread.notice !== undefined) logger.warn(service.seal.thread.notice);
    logger.info({ url, ...bound, ...headOf(service) }, 'ready');
    // Without it, the first response waits longer. A service that stops meanwhile ends it.
    void service.decisions.desk.warm(settings.bounds.validationThreads).catch(() => undefined);

    let stopping = false;
    act({
      stop(signal) {
        if (stopping) return;
        stopping = true;
        logger.info({ signal }, 'stopping');
        const forced = setTimeout(() => giveUp(new Error('the shutdown took too long')), SHUTDOWN_MS);
        forced.unref();
        server.close().then(() => {
          logger.info({ signal, ...headOf(service) }, 'stopped');
          process.exit(0);
        }, giveUp);
      },
      reload() {
        if (!stopping) void server.reload();
      },
      ignored: (signal) =>
        logger.info({ signal }, 'ignored: SIGHUP reads certificates again, SIGTERM stops the service'),
    });
  } catch (error) {
    giveUp(error);
  }
}

/** How far the log is, so that two starts or stops can be compared by eye. */
function headOf({ control, seal }: Service): object {
  const { head, events, size, root } = seal?.thread.status ?? {};
  return { position: head, epoch: control.view.directives().revision, events, checkpoint: { size, root } };
}

/** Log lines about troubles that end by themselves: of the lanes to Kafka and to a SIEM, of sealing, and of the disk. */
const notices = (
  logger: Logger,
): Required<Pick<ServiceParts, 'onRelayTrouble' | 'onRelayRecovered' | 'onSealTrouble' | 'onDisk' | 'onDamaged'>> => ({
  onRelayTrouble: (lane, reason) =>
    logger.warn({ lane, reason }, lane.startsWith('siem') ? 'the SIEM gets no events' : 'not sent to Kafka'),
  onRelayRecovered: (lane) =>
    logger.info({ lane }, `recovered: ${lane.startsWith('siem') ? 'the SIEM gets events' : 'sent to Kafka'} again`),
  onSealTrouble: (trouble) =>
    trouble === undefined
      ? logger.info('recovered: the log is sealed and witnessed again')
      : logger.error({ trouble }, 'the log is not sealed'),
  onDamaged: ({ position, stream, revision }, isLast) =>
    logger.fatal(
      { position: String(position), stream, revision, ...(isLast ? { more: 'later ones are not told' } : {}) },
      'an event of the log is damaged: run sallyport check',
    ),
  onDisk: {
    onTrouble: (trouble) =>
      logger.error(
        trouble,
        trouble.cause === 'FILE_GONE' ? 'a file was removed or replaced' : 'the disk takes no writes',
      ),
    onRecovered: (recovered) => logger.info(recovered, 'recovered: the disk takes writes again'),
  },
});
