import { createServer, type Server as NetServer, type Socket } from 'node:net';
import {
  ServerInterceptingCall,
  status,
  type Metadata,
  type Server,
  type ServerCredentials,
  type ServerInterceptor,
  type StatusObject,
} from '@grpc/grpc-js';
import type { Registry } from 'prom-client';
import type { Principal } from '../http/access.js';
import { Problem } from '../http/problem.js';
import { addGauge, addTotal } from '../observability/gauges.js';
import type { Settings } from '../settings.js';
import type { Bounds } from './bounds.js';
import { boundConnections, type Connections } from './connections.js';
import { Overdue } from './overdue.js';
import { Shares } from './shares.js';

/** Calls of those who show no token (health, reflection) that are open at once. */
const MAX_STRANGERS = 64;
const NO_TOKEN = '';
const UNCOUNTED = { take: (): boolean => true, giveBack: (): void => undefined };

/** How a call ends. */
type Ended = Pick<StatusObject, 'code' | 'details'> & Partial<StatusObject>;

const LATE: Ended = { code: status.DEADLINE_EXCEEDED, details: 'the request did not arrive in time' };

export interface BoundGrpc {
  readonly interceptor: ServerInterceptor;
  /** Who calls, as was found before its first message was read. */
  callerOf(metadata: Metadata): Principal | undefined;
  /** An answer is on its way to a client that has to take it in time; the result says that it has. */
  leaving(peer: string): () => void;
  listen(server: Server, credentials: ServerCredentials, host: string, port: number): Promise<number>;
  /** Takes no more connections. Resolves when the last one has ended. */
  stop(): Promise<void>;
  /** Cuts off whoever is left. */
  cutAll(): void;
}

export interface GrpcBoundsParts {
  readonly settings: Settings;
  readonly bounds: Bounds;
  readonly registry: Registry;
  /** Whether a method is one of ours, for which a token is needed. */
  readonly isOurs: (path: string) => boolean;
  /** Whether it is one that is counted elsewhere. */
  readonly isWatch: (path: string) => boolean;
  /** Throws `Problem`. */
  readonly admit: (metadata: Metadata) => Principal;
  readonly statusOf: (error: unknown, metadata: Metadata) => Ended;
}

/**
 * Bounds what is open over gRPC: connections, calls of each host and in all, how long a message may take to come in and
 * an answer to be taken. Nothing of a message is kept for whoever has shown no token.
 */
export function boundGrpc({
  settings,
  bounds,
  registry,
  isOurs,
  isWatch,
  admit,
  statusOf,
}: GrpcBoundsParts): BoundGrpc {
  const { connections: maxConnections, clientMs } = settings.bounds;
  const listener: NetServer = createServer();
  const connections: Connections = boundConnections(listener, { maxConnections, unreadMs: clientMs }, false);
  addGauge(registry, 'sallyport_grpc_connections', 'Connections of the gRPC interface.', () => connections.open);
  addTotal(registry, 'sallyport_grpc_connections_cut_total', 'Connections that were cut: too many, or unread.', () => {
    return connections.evicted + connections.unread;
  });
  const callers = new WeakMap<Metadata, Principal>();
  const strangers = new Shares(MAX_STRANGERS, MAX_STRANGERS);
  const arriving = new Overdue<object>(clientMs);
  const unread = new Overdue<object>(clientMs);

  const interceptor: ServerInterceptor = ({ path, requestStream }, call) => {
    const peer = call.getPeer();
    const ours = isOurs(path);
    // A watch is open for as long as its host lives, and is counted where it is opened.
    const shares = !ours ? strangers : isWatch(path) ? UNCOUNTED : bounds.grpcCalls;
    let name: string | undefined;
    const open = (metadata: Metadata): void => {
      const caller = ours ? admit(metadata) : undefined;
      const asking = caller?.name ?? NO_TOKEN;
      if (!shares.take(asking, 1)) throw new Problem('overloaded', 'too many calls are open');
      name = asking;
      if (caller === undefined) return;
      callers.set(metadata, caller);
      connections.known(peer);
    };
    const end = (): void => {
      arriving.done(call);
      unread.done(call);
      if (name !== undefined) shares.giveBack(name, 1);
      name = undefined;
    };
    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, pass) {
            try {
              open(metadata);
            } catch (error) {
              return call.sendStatus(statusOf(error, metadata));
            }
            if (!requestStream) arriving.watch(call, () => call.sendStatus(LATE));
            pass(metadata);
          },
          onReceiveHalfClose(pass) {
            arriving.done(call);
            pass();
          },
          onCancel: end,
        });
      },
      sendStatus(sent, next) {
        // It ends once the client has taken all that comes before.
        unread.watch(call, () => connections.cut(peer));
        next(sent);
      },
    });
  };

  return {
    interceptor,
    callerOf: (metadata) => callers.get(metadata),
    leaving(peer) {
      const key = {};
      unread.watch(key, () => connections.cut(peer));
      return () => unread.done(key);
    },
    listen(server, credentials, host, port) {
      const injector = server.createConnectionInjector(credentials);
      listener.on('connection', (socket: Socket) => {
        socket.on('error', () => undefined);
        if (!socket.destroyed) injector.injectConnection(socket);
      });
      return new Promise((resolve, reject) => {
        listener.once('error', reject);
        listener.listen(port, host, () => {
          // One connection that cannot be taken must not end the process.
          listener.on('error', () => undefined);
          const address = listener.address();
          resolve(typeof address === 'object' ? (address?.port ?? port) : port);
        });
      });
    },
    stop: () =>
      new Promise((resolve) => {
        listener.close(() => {
          for (const each of [arriving, unread, connections]) each.stop();
          resolve();
        });
      }),
    cutAll: () => connections.cutAll(),
  };
}
