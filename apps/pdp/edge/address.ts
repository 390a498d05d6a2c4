import type { Server } from 'node:net';

/** `host:port` that a listening server is bound to. */
export function addressOf(server: Pick<Server, 'address'>): string {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return String(bound);
  return `${bound.address.includes(':') ? `[${bound.address}]` : bound.address}:${bound.port}`;
}
