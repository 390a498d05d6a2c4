import type { Server, Socket } from 'node:net';
import { waitingTime } from './waiting-time.js';

export interface ConnectionBounds {
  readonly maxConnections: number;
  /** How long a client may leave an answer unread. */
  readonly unreadMs: number;
}

export interface Connections {
  readonly open: number;
  /** Connections that had to go so far, and why. */
  readonly evicted: number;
  readonly unread: number;
  /** Whoever uses this connection is known: it is not among the first to go. */
  known(socket: Pick<Socket, 'remoteAddress' | 'remotePort'> | string): void;
  /** Cuts off the connection of a client that does not read. */
  cut(peer: string): void;
  cutAll(): void;
  stop(): void;
}

export const peerOf = ({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string =>
  `${remoteAddress}:${remotePort}`;

/**
 * Bounds the connections of a server. Where there are too many, the oldest goes on which nobody has shown a token yet,
 * so that idle strangers cannot keep hosts out; where all are known, the new one goes. A client that leaves an answer
 * unread loses its connection, and with it what is kept for it. `secure`: the server speaks TLS.
 */
export function boundConnections(server: Server, bounds: ConnectionBounds, secure: boolean): Connections {
  const { maxConnections, unreadMs } = bounds;
  const open = new Map<string, Socket>();
  /** In order of age. */
  const strangers = new Map<string, Socket>();
  const written = new Set<Socket>();
  const known = new WeakSet<object>();
  const stuck = new Map<Socket, { bytes: number; sinceMs: number }>();
  let evicted = 0;
  let unread = 0;

  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket);
    if (open.size >= maxConnections) {
      evicted += 1;
      const [oldest] = strangers.values();
      (oldest ?? socket).destroy();
      if (oldest === undefined) return;
      forget(peerOf(oldest), oldest);
    }
    open.set(peer, socket);
    strangers.set(peer, socket);
    socket.once('close', () => forget(peer, socket));
  });
  server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
    written.add(socket);
    socket.once('close', () => {
      written.delete(socket);
      stuck.delete(socket);
    });
  });

  function forget(peer: string, socket: Socket): void {
    if (open.get(peer) !== socket) return;
    open.delete(peer);
    strangers.delete(peer);
  }

  /** Whether nothing of what waits has been taken for too long. */
  function isStuck(socket: Socket, nowMs: number): boolean {
    if (socket.writableLength === 0) {
      stuck.delete(socket);
      return false;
    }
    // A large answer is one write: how much of it is gone only its handle says, as Node's own time limit asks it.
    const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
    const bytes = socket.bytesWritten - socket.writableLength - (handle?.writeQueueSize ?? 0);
    const earlier = stuck.get(socket);
    if (earlier?.bytes === bytes) return nowMs - earlier.sinceMs > unreadMs;
    stuck.set(socket, { bytes, sinceMs: nowMs });
    return false;
  }

  const sweep = setInterval(
    () => {
      const nowMs = waitingTime.ms;
      for (const socket of written) {
        if (!isStuck(socket, nowMs)) continue;
        unread += 1;
        socket.destroy();
      }
    },
    Math.min(1000, unreadMs / 4),
  );
  sweep.unref();

  return {
    get open() {
      return open.size;
    },
    get evicted() {
      return evicted;
    },
    get unread() {
      return unread;
    },
    known(socket) {
      if (typeof socket === 'string') {
        strangers.delete(socket);
        return;
      }
      if (known.has(socket)) return;
      known.add(socket);
      strangers.delete(peerOf(socket));
    },
    cut(peer) {
      const socket = open.get(peer);
      if (socket === undefined || socket.destroyed) return;
      unread += 1;
      socket.destroy();
    },
    cutAll() {
      for (const socket of open.values()) socket.destroy();
    },
    stop: () => clearInterval(sweep),
  };
}
