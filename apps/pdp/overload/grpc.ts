import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Metadata, Server, ServerCredentials, ServerInterceptor } from '@grpc/grpc-js';
import type { Registry } from 'prom-client';
import type { Principal } from '../edge/access.js';
import { addGauge, addTotal } from '../observability/gauges.js';
import type { Settings } from '../settings.js';
import type { Bounds } from './bounds.js';
import { addressOf } from '../edge/address.js';
import { Connections } from './connections.js';
import { DeadlineSweeper } from './deadline-sweeper.js';
import { BoundedCall, type Ended, type OpenCall, type SharedBounds } from './grpc-call.js';
import type { Refusals } from './refusals.js';
import { Yielding } from './yielding.js';

export type { OpenCall };

/** For a call whose metadata is unknown. The call is answered, but without bounds. */
const nothing = (): void => undefined;
const UNBOUND: OpenCall = { answering: () => nothing, pause: nothing, resume: nothing, idle: nothing, busy: nothing };

export interface BoundGrpc {
  readonly interceptor: ServerInterceptor;
  /** The call that began with this metadata. */
  readonly openOf: (metadata: Metadata) => OpenCall;
  /** Resolves with `host:port`, as bound. */
  listen(server: Server, credentials: ServerCredentials, host: string, port: number): Promise<string>;
  /** Accepts no further connections. Resolves when the last one has ended. */
  stop(): Promise<void>;
  /** Closes all remaining connections. */
  cutAll(): void;
}

export interface GrpcBoundsParts {
  readonly settings: Settings;
  readonly bounds: Bounds;
  readonly refused: Refusals['refused'];
  readonly registry: Registry;
  /** Whether a method is one of our own, which require a token. */
  readonly isOurs: (path: string) => boolean;
  /** Whether a method has its place among the watches. */
  readonly isWatch: (path: string) => boolean;
  /** Whether a method asks for health once. Other calls without a token do not keep it out. */
  readonly isCheck: (path: string) => boolean;
  /** Throws `Problem`. */
  readonly admit: (metadata: Metadata) => Principal;
  readonly statusOf: (error: unknown, metadata: Metadata) => Ended;
}

/**
 * Bounds open gRPC connections, and open calls of each host and in total. It also bounds how long a message takes to
 * arrive and an answer to be read. The service keeps nothing of a message from a caller without a token.
 */
export function boundGrpc(parts: GrpcBoundsParts): BoundGrpc {
  const { settings, bounds, registry, refused } = parts;
  const { connections: maxConnections, clientMs } = settings.bounds;
  const listener: NetServer = createServer();
  const connections = new Connections(
    listener,
    { maxConnections, unreadMs: clientMs, onEvicted: () => refused('connections', undefined) },
    false,
  );
  addGauge(registry, 'sallyport_grpc_connections', 'Connections of the gRPC interface.', () => connections.open);
  addTotal(registry, 'sallyport_grpc_connections_cut_total', 'Connections that were cut: too many, or unread.', () => {
    return connections.evicted + connections.unread;
  });
  const calls = new WeakMap<Metadata, OpenCall>();
  const shared: SharedBounds = {
    limiters: bounds,
    connections,
    idleHosts: new Yielding(),
    idleStrangers: new Yielding(),
    arriving: new DeadlineSweeper(clientMs),
    unread: new DeadlineSweeper(clientMs),
  };

  return {
    interceptor: interceptorOf(parts, shared, calls),
    openOf: (metadata) => calls.get(metadata) ?? UNBOUND,
    listen: (server, credentials, host, port) => listen(listener, server, credentials, { host, port }),
    stop: () =>
      new Promise((resolve) => {
        listener.close(() => {
          for (const each of [shared.arriving, shared.unread, connections]) each.stop();
          resolve();
        });
      }),
    cutAll: () => connections.cutAll(),
  };
}

/** Bounds each call as it begins, and remembers it by its metadata. */
function interceptorOf(
  { isOurs, isWatch, isCheck, admit, statusOf }: GrpcBoundsParts,
  shared: SharedBounds,
  calls: WeakMap<Metadata, OpenCall>,
): ServerInterceptor {
  return ({ path, requestStream }, raw) => {
    const kind = { isOurs: isOurs(path), isStream: requestStream };
    const admitCall = (metadata: Metadata, call: BoundedCall): void => {
      if (kind.isOurs) call.admitHost(admit(metadata).name, isWatch(path));
      else if (isCheck(path)) call.admitCheck();
      else call.admitStranger(metadata);
      calls.set(metadata, call);
    };
    return new BoundedCall(shared, raw, kind, admitCall, statusOf).intercepted;
  };
}

/** Listens on a socket of our own, so that connections are bounded before the library sees them. */
function listen(
  listener: NetServer,
  server: Server,
  credentials: ServerCredentials,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  const injector = server.createConnectionInjector(credentials);
  listener.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    if (!socket.destroyed) injector.injectConnection(socket);
  });
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, host, () => {
      // If one connection cannot be accepted, the process must not end.
      listener.on('error', () => undefined);
      resolve(addressOf(listener));
    });
  });
}
