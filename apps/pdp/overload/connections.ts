import type { Server, Socket } from 'node:net';
import { waitingTime } from './waiting-time.js';

export interface ConnectionBounds {
  readonly maxConnections: number;
  /** How long a client may leave an answer unread, in milliseconds. */
  readonly unreadMs: number;
  /** Called for each connection that is closed because there are too many. */
  readonly onEvicted?: () => void;
}

type Peer = Pick<Socket, 'remoteAddress' | 'remotePort'>;

const peerOf = ({ remoteAddress, remotePort }: Peer): string => `${remoteAddress}:${remotePort}`;

/**
 * Bounds the connections of a server. If there are too many, the oldest unauthenticated one is closed, so that idle
 * strangers cannot keep hosts out. If all are authenticated, the new one is closed. A client that leaves an answer unread
 * loses its connection, and with it the memory that the answer holds.
 */
export class Connections {
  private readonly byPeer = new Map<string, Socket>();
  /** Unauthenticated, the oldest first. */
  private readonly strangers = new Map<string, Socket>();
  private readonly authenticated = new WeakSet<object>();
  private readonly unreadAnswers: UnreadAnswers;
  private evictions = 0;
  private cuts = 0;

  /** `secure`: the server speaks TLS. */
  constructor(
    server: Server,
    private readonly bounds: ConnectionBounds,
    secure: boolean,
  ) {
    this.unreadAnswers = new UnreadAnswers(bounds.unreadMs);
    server.on('connection', (socket: Socket) => this.opened(socket));
    // Over TLS, the server writes answers to another socket than the one that it accepted.
    server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => this.unreadAnswers.watch(socket));
  }

  get open(): number {
    return this.byPeer.size;
  }

  /** Connections that were closed because there were too many. */
  get evicted(): number {
    return this.evictions;
  }

  /** Connections that were closed because their client did not read. */
  get unread(): number {
    return this.cuts + this.unreadAnswers.cut;
  }

  /** The user of this connection is authenticated, so it is not among the first to be closed. */
  known(connection: Peer | string): void {
    if (typeof connection === 'string') {
      this.strangers.delete(connection);
      return;
    }
    if (this.authenticated.has(connection)) return;
    this.authenticated.add(connection);
    this.strangers.delete(peerOf(connection));
  }

  /** Closes the connection of a client that does not read. */
  cut(peer: string): void {
    const socket = this.byPeer.get(peer);
    if (socket === undefined || socket.destroyed) return;
    this.cuts += 1;
    socket.destroy();
  }

  cutAll(): void {
    for (const socket of this.byPeer.values()) socket.destroy();
  }

  stop(): void {
    this.unreadAnswers.stop();
  }

  private opened(socket: Socket): void {
    const peer = peerOf(socket);
    if (this.byPeer.size >= this.bounds.maxConnections) {
      this.evictions += 1;
      this.bounds.onEvicted?.();
      const [oldest] = this.strangers.values();
      (oldest ?? socket).destroy();
      if (oldest === undefined) return;
      this.forget(peerOf(oldest), oldest);
    }
    this.byPeer.set(peer, socket);
    this.strangers.set(peer, socket);
    socket.once('close', () => this.forget(peer, socket));
  }

  private forget(peer: string, socket: Socket): void {
    if (this.byPeer.get(peer) !== socket) return;
    this.byPeer.delete(peer);
    this.strangers.delete(peer);
  }
}

/** Closes a socket if its client has read nothing of an answer for too long. */
class UnreadAnswers {
  cut = 0;
  private readonly sockets = new Set<Socket>();
  private readonly stuck = new Map<Socket, { readonly bytes: number; readonly sinceMs: number }>();
  private readonly sweep: NodeJS.Timeout;

  constructor(private readonly unreadMs: number) {
    this.sweep = setInterval(() => this.look(), Math.min(1000, unreadMs / 4));
    this.sweep.unref();
  }

  watch(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => {
      this.sockets.delete(socket);
      this.stuck.delete(socket);
    });
  }

  stop(): void {
    clearInterval(this.sweep);
  }

  private look(): void {
    const nowMs = waitingTime.ms;
    for (const socket of this.sockets) {
      if (!this.isStuck(socket, nowMs)) continue;
      this.cut += 1;
      socket.destroy();
    }
  }

  private isStuck(socket: Socket, nowMs: number): boolean {
    if (socket.writableLength === 0) {
      this.stuck.delete(socket);
      return false;
    }
    // A large answer is one write. Only the socket's handle knows how much of it has left; Node's own time limit asks
    // it too.
    const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
    const bytes = socket.bytesWritten - socket.writableLength - (handle?.writeQueueSize ?? 0);
    const earlier = this.stuck.get(socket);
    if (earlier?.bytes === bytes) return nowMs - earlier.sinceMs > this.unreadMs;
    this.stuck.set(socket, { bytes, sinceMs: nowMs });
    return false;
  }
}
