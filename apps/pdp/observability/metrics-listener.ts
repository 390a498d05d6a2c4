import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { addressOf } from '../edge/address.js';
import type { Settings } from '../settings.js';
import type { Scrapes } from './scrapes.js';

/** Scrapers are few; more connections are closed. */
const MAX_CONNECTIONS = 64;
const REQUEST_MS = 5_000;
/** A scraper keeps its connection between scrapes, which are up to a minute apart. */
const KEEP_ALIVE_MS = 75_000;
const MAX_HEAD_BYTES = 8_192;

export interface MetricsListener {
  /** `host:port`, as bound; undefined if it does not listen. */
  readonly address: string | undefined;
  close(): void;
}

/**
 * Serves `GET /metrics` on an address of its own, in plain HTTP and without a token. If only the default address is in
 * use, a line says so and the service goes on: another instance on this machine has it. An address from the settings has
 * to be free: throws one line for an operator.
 */
export async function listenForScrapes(
  setting: Settings['metrics'],
  scrapes: Scrapes,
  logger: Pick<Logger, 'warn'>,
): Promise<MetricsListener> {
  if (setting === undefined) return { address: undefined, close: () => undefined };
  const { host, port, isDefault } = setting;
  const server = scrapeServer(scrapes);
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  } catch (error) {
    const text = `SALLYPORT_METRICS: cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (!isDefault) throw new Error(text, { cause: error });
    logger.warn(`${text}, the default; the metrics are not served there`);
    return { address: undefined, close: () => undefined };
  }
  // If one connection cannot be accepted, the process must not end.
  server.on('error', () => undefined);
  return {
    address: addressOf(server),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function scrapeServer(scrapes: Scrapes): Server {
  const limits = {
    headersTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: REQUEST_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
  };
  const server = createServer(limits, (request, response) => void answer(scrapes, request, response));
  server.maxConnections = MAX_CONNECTIONS;
  // Also for a scraper that does not read its answer.
  server.setTimeout(KEEP_ALIVE_MS);
  return server;
}

async function answer(scrapes: Scrapes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, text: string, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers });
    response.end(request.method === 'HEAD' ? undefined : text);
  };
  request.resume();
  if (request.url?.split('?')[0] !== '/metrics') return send(404, 'only /metrics is here\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'GET alone\n', { allow: 'GET, HEAD' });
  const taken = scrapes.take();
  if (taken === undefined) return send(429, 'the metrics are asked for too often\n', { 'retry-after': '1' });
  const text = await taken.catch(() => undefined);
  if (text === undefined) return send(500, 'the metrics cannot be collected\n');
  send(200, text, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE });
}
