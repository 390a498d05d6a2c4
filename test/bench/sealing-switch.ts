import { pino } from 'pino';
import { startServer } from '../../apps/pdp/server.js';
import { openService } from '../../apps/pdp/service.js';
import { readSettings } from '../../apps/pdp/settings.js';

/**
 * The service, with or without checkpoints: `node sealing-switch.js on|off`. The product has no such switch. Both sides of
 * a comparison start here, so that the switch is all that differs. It listens and logs as the service does.
 */
process.umask(0o077);
const logger = pino({ base: { service: 'sallyport' } });
const sealing = process.argv[2] === 'off' ? 'off' : undefined;
const service = await openService(readSettings(process.env), { sealing });
const server = await startServer(service, logger);
logger.info({ url: server.url }, 'ready');
process.once('SIGTERM', () => void server.close().then(() => process.exit(0)));
