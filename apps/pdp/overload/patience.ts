import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { waitingTime } from './waiting-time.js';

type Listener = (error: Error, socket: Socket) => void;

/**
 * Node's time limits on a request also count while its thread is busy. A client that has sent everything could get a
 * 408 for a request that the service has not read. If the thread was busy within the limit, the client gets that time
 * back. Call this after the server has its listeners for client errors: it replaces them and calls them later.
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
      // Bytes that arrived since belong to another request, or to the rest of this one.
      const isWhole = request?.complete === true && (request !== before || before.complete);
      if (socket.destroyed || isWhole) return;
      const leftMs = untilMs - waitingTime.ms;
      if (leftMs > 0) setTimeout(look, leftMs).unref();
      else tell();
    };
    setImmediate(look);
  });
}
