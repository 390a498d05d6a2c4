import type { ServerHttp2Stream } from 'node:http2';
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
import type { Principal } from '../edge/access.js';
import { Problem } from '../edge/problem.js';
import { addGauge, addTotal } from '../observability/gauges.js';
import type { Settings } from '../settings.js';
import type { Bounds } from './bounds.js';
import { boundConnections, type Connections } from './connections.js';
import { DeadlineSweeper } from './deadline-sweeper.js';
import type { Hold, FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import { Yielding } from './yielding.js';

/** Largest message of theirs: the name of a service or a symbol. */
const STRANGERS_BYTES = 16_384;
const NO_TOKEN = '';

/** How a call ends. */
type Ended = Pick<StatusObject, 'code' | 'details'> & Partial<StatusObject>;

/** A call is always known by its metadata; one that is not would be answered all the same. */
const nothing = (): void => undefined;
const UNBOUND: OpenCall = { answering: () => nothing, pause: nothing, resume: nothing, idle: nothing, busy: nothing };

const LATE: Ended = { code: status.DEADLINE_EXCEEDED, details: 'the request did not arrive in time' };
/** A stream of someone who shows no token: an idle one, or one that sends a message and never all of it, gives up its place. */
const MADE_WAY: Ended = { code: status.RESOURCE_EXHAUSTED, details: 'another call needs the place of this one' };
const TOO_LONG: Ended = { code: status.DEADLINE_EXCEEDED, details: 'the call was open for too long' };

/** A call as long as it is open. */
export interface OpenCall {
  /** An answer is on its way to a client that has to take it in time; to be told when it has. The end of the call says it, too. */
  answering(): () => void;
  /** Reads no further message from the client: none is kept that nobody has room for. */
  pause(): void;
  resume(): void;
  /** Nothing is under way. If another call needs its place, this call is ended through `end`. */
  idle(end: () => void): void;
  busy(): void;
}

export interface BoundGrpc {
  readonly interceptor: ServerInterceptor;
  /** The call that began with this metadata. */
  openOf(metadata: Metadata): OpenCall;
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
  /** Whether it asks for health once: what else strangers have open does not keep it out. */
  readonly isCheck: (path: string) => boolean;
  /** Throws `Problem`. */
  readonly admit: (metadata: Metadata) => Principal;
  readonly statusOf: (error: unknown, metadata: Metadata) => Ended;
}

/** A call that can be told to read no further. What comes in meanwhile waits at the client. */
class PacedCall extends ServerInterceptingCall {
  private isPaused = false;
  private isWanted = false;

  override startRead(): void {
    if (this.isPaused) this.isWanted = true;
    else super.startRead();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    if (!this.isWanted) return;
    this.isWanted = false;
    super.startRead();
  }
}

/** The library has one limit on messages for all services: this lowers it for a call that has just begun, packed or not. */
function limitMessages(call: object, maxBytes: number): void {
  const { decoder } = Object.assign(call, { maxReceiveMessageSize: maxBytes }) as {
    decoder?: { maxReadMessageLength: number };
  };
  if (decoder !== undefined) decoder.maxReadMessageLength = maxBytes;
}

/**
 * A stream that its client resets ends now. HTTP/2 of Node keeps one that was reset without an error until all that came
 * before has been read, which may be never.
 */
function endWithReset(call: object): void {
  const { stream } = call as { stream?: ServerHttp2Stream };
  stream?.once('aborted', () => stream.destroy());
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
  isCheck,
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
  const calls = new WeakMap<Metadata, OpenCall>();
  const { grpcCalls, grpcChecks, grpcStrangers } = bounds;
  const idleHosts = new Yielding();
  const idleStrangers = new Yielding();
  const arriving = new DeadlineSweeper<object>(clientMs);
  const unread = new DeadlineSweeper<object>(clientMs);

  /** Of strangers, the connection that has the most open gives way: its own, or one that still has as many afterwards. */
  const makeWayOf = (peer: string): boolean => {
    const largest = grpcStrangers.largest();
    if (largest === undefined) return false;
    const isFair = largest === peer || grpcStrangers.of(largest) >= grpcStrangers.of(peer) + 2;
    return isFair && idleStrangers.makeWay(largest);
  };

  const interceptor: ServerInterceptor = ({ path, requestStream }, call) => {
    const peer = call.getPeer();
    const ours = isOurs(path);
    if (!ours) limitMessages(call, STRANGERS_BYTES);
    endWithReset(call);
    let hold: Hold | undefined;
    const take = (shares: FairShareLimiter, name: string, makeRoom: () => boolean): void => {
      hold = shares.hold(name);
      if (hold.take(1) || (makeRoom() && hold.take(1))) return;
      throw new Problem('overloaded', 'too many calls are open');
    };
    const open = (metadata: Metadata): void => {
      const caller = ours ? admit(metadata) : undefined;
      const idle = (makesWay: () => void): void => {
        if (ended || caller === undefined) return;
        idleHosts.rest(call, caller.name, () => {
          hold?.end();
          makesWay();
        });
      };
      const busy = (): void => idleHosts.wake(call);
      if (caller !== undefined) {
        const { name } = caller;
        // A watch is open for as long as its host lives, and is counted where it is opened.
        if (!isWatch(path))
          take(grpcCalls, name, () => idleHosts.makeWay(grpcCalls.isSpentBy(name) ? name : undefined));
        connections.known(peer);
      } else if (isCheck(path)) take(grpcChecks, NO_TOKEN, () => false);
      else {
        take(grpcStrangers, peer, () => makeWayOf(peer));
        idleStrangers.rest(call, peer, () => {
          end();
          paced.sendStatus(MADE_WAY);
        });
      }
      calls.set(metadata, {
        answering: watchUnread,
        pause: () => paced.pause(),
        resume: () => paced.resume(),
        idle,
        busy,
      });
    };
    let ended = false;
    /** What is on its way to the client. */
    const untaken = new Set<object>();
    const watchUnread = (): (() => void) => {
      const key = {};
      // Nobody waits for what is answered to a call that its client has given up.
      if (ended) return () => undefined;
      untaken.add(key);
      unread.watch(key, () => connections.cut(peer));
      return () => {
        untaken.delete(key);
        unread.done(key);
      };
    };
    const end = (): void => {
      ended = true;
      arriving.done(call);
      for (const key of untaken) unread.done(key);
      hold?.end();
      idleHosts.wake(call);
      idleStrangers.wake(call);
    };
    const paced = new PacedCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, pass) {
            try {
              open(metadata);
            } catch (error) {
              return call.sendStatus(statusOf(error, metadata));
            }
            // Hosts may keep a stream for as long as they like.
            if (!ours || !requestStream) arriving.watch(call, () => paced.sendStatus(requestStream ? TOO_LONG : LATE));
            pass(metadata);
          },
          onReceiveHalfClose(pass) {
            if (!requestStream) arriving.done(call);
            pass();
          },
          onCancel: end,
        });
      },
      sendStatus(sent, next) {
        // It ends once the client has taken all that comes before.
        watchUnread();
        next(sent);
      },
    });
    return paced;
  };

  return {
    interceptor,
    openOf: (metadata) => calls.get(metadata) ?? UNBOUND,
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
