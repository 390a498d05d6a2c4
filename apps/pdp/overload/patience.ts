import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { waitingTime } from './waiting-time.js';

type Listener = (error: Error, socket: Socket) => void;

/**
 * Node's limits on the time of a request also count while its thread is busy, so a client that has sent everything can get
 * a 408 for a request that the service has not read. If the thread was busy within the limit, the client gets that time
 * back. Call this after the server has its listeners for client errors: they are replaced and called later.
 */
export function giveTimeBack(server: Server, limitMs: number): void {
  const listeners = server.listeners('clientError') as Listener[];
  const latest = new WeakMap<Socket, IncomingMessage>();
  server.on('request', (request: IncomingMessage) => latest.set(request.socket, request));
  server.removeAllListeners('clientError');
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const tell = (): void => {
      for (const listener of listeners) listener.call(server, error, socket);
    };
    const lostMs = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? waitingTime.lostWithin(limitMs) : 0;
    if (lostMs === 0) return tell();
    const before = latest.get(socket);
    const untilMs = waitingTime.ms + lostMs;
    const look = (): void => {
      const request = latest.get(socket);
      // What has come in since is another request, or the rest of this one.
      const isWhole = request?.complete === true && (request !== before || before.complete);
      if (socket.destroyed || isWhole) return;
      const leftMs = untilMs - waitingTime.ms;
      if (leftMs > 0) setTimeout(look, leftMs).unref();
      else tell();
    };
    setImmediate(look);
  });
}
