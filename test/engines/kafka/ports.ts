import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports that systems assign on their own. While a broker is down, no other connection gets its port, and no
 * client that retries connects to itself. Either would keep the broker from returning.
 */
const LOWEST = 20_000;
const PORTS = 12_000;
const TRIES = 100;

/** A port of loopback that nobody listens on now. */
export async function quietPort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = LOWEST + randomInt(PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found from ${LOWEST} on`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
