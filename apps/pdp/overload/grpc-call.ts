import type { ServerHttp2Stream } from 'node:http2';
import { Metadata, ServerInterceptingCall, status, type StatusObject } from '@grpc/grpc-js';
import type { FairShareLimiter, Hold } from '../../../libs/kernel/fair-share-limiter.js';
import { Overloaded, Problem } from '../edge/problem.js';
import type { Bounds } from './bounds.js';
import type { Connections } from './connections.js';
import type { DeadlineSweeper } from './deadline-sweeper.js';
import type { Yielding } from './yielding.js';

/** The largest message of a caller without a token: the name of a service or a symbol. */
const STRANGERS_BYTES = 16_384;
const NO_TOKEN = '';

/** How a call ends. */
export type Ended = Pick<StatusObject, 'code' | 'details'> & Partial<StatusObject>;

const LATE: Ended = { code: status.DEADLINE_EXCEEDED, details: 'the request did not arrive in time' };
/** For an idle stream without a token, and for a stream whose message never arrives completely. */
const MADE_WAY = new Overloaded('idle', 'another call needs the place of this one');
const TOO_LARGE = new Problem('too_large', 'the message is larger than any message may be');
const TOO_LONG: Ended = { code: status.DEADLINE_EXCEEDED, details: 'the call was open for too long' };

/** The bounds that all calls of one interface share. */
export interface SharedBounds {
  readonly limiters: Pick<Bounds, 'grpcCalls' | 'grpcChecks' | 'grpcStrangers'>;
  readonly connections: Pick<Connections, 'known' | 'cut'>;
  readonly idleHosts: Yielding;
  readonly idleStrangers: Yielding;
  /** Calls whose request has not arrived yet. */
  readonly arriving: DeadlineSweeper<object>;
  /** Answers that the client has not taken yet. */
  readonly unread: DeadlineSweeper<object>;
}

/** A call while it is open. */
export interface OpenCall {
  /**
   * Starts the time limit of an answer. Call the result once the client has taken it. The end of the call also stops
   * the time limit.
   */
  answering(): () => void;
  /** Stops reading messages. The client keeps them meanwhile. */
  pause(): void;
  resume(): void;
  /** Nothing is in progress. If another call needs its place, this call ends through `end`. */
  idle(end: () => void): void;
  busy(): void;
}

type RawCall = ConstructorParameters<typeof ServerInterceptingCall>[0];
type Responder = NonNullable<ConstructorParameters<typeof ServerInterceptingCall>[1]>;

/** The kind of one call, from its path. */
export interface CallKind {
  /** One of our own methods, which require a token. */
  readonly isOurs: boolean;
  readonly isStream: boolean;
}

/** One call from beginning to end: its place among the open calls, and its time limits. */
export class BoundedCall implements OpenCall {
  private readonly paced: PacedCall;
  private readonly peer: string;
  private host: string | undefined;
  private hold: Hold | undefined;
  private isOver = false;
  /** Answers on their way to the client. */
  private readonly untaken = new Set<object>();

  /** `admit` takes the place of the call. It throws `Problem`. */
  constructor(
    private readonly shared: SharedBounds,
    private readonly raw: RawCall,
    private readonly kind: CallKind,
    private readonly admit: (metadata: Metadata, call: BoundedCall) => void,
    private readonly statusOf: (error: unknown, metadata: Metadata) => Ended,
  ) {
    this.peer = raw.getPeer();
    if (!kind.isOurs) limitMessages(raw, STRANGERS_BYTES);
    endWithReset(raw);
    nameTooLarge(raw, () => this.statusOf(TOO_LARGE, new Metadata()));
    this.paced = new PacedCall(raw, this.responder());
  }

  get intercepted(): ServerInterceptingCall {
    return this.paced;
  }

  /**
   * Takes a place for a call of a host. A watch has its place elsewhere, because it is open as long as its host lives.
   */
  admitHost(name: string, isWatch: boolean): void {
    const { limiters, idleHosts, connections } = this.shared;
    const { grpcCalls } = limiters;
    if (!isWatch) this.take(grpcCalls, name, () => idleHosts.makeWay(grpcCalls.isSpentBy(name) ? name : undefined));
    this.host = name;
    connections.known(this.peer);
  }

  /** Takes a place for a health check. Other calls without a token cannot take it. */
  admitCheck(): void {
    this.take(this.shared.limiters.grpcChecks, NO_TOKEN, () => false);
  }

  admitStranger(metadata: Metadata): void {
    this.take(this.shared.limiters.grpcStrangers, this.peer, () => this.makeWayOfStranger());
    this.shared.idleStrangers.rest(this, this.peer, () => {
      this.end();
      this.paced.sendStatus(this.statusOf(MADE_WAY, metadata));
    });
  }

  answering(): () => void {
    const { unread, connections } = this.shared;
    // The client has given up the call, so nobody waits for its answer.
    if (this.isOver) return () => undefined;
    const key = {};
    this.untaken.add(key);
    unread.watch(key, () => connections.cut(this.peer));
    return () => {
      this.untaken.delete(key);
      unread.done(key);
    };
  }

  pause(): void {
    this.paced.pause();
  }

  resume(): void {
    this.paced.resume();
  }

  idle(end: () => void): void {
    if (this.isOver || this.host === undefined) return;
    this.shared.idleHosts.rest(this, this.host, () => {
      this.hold?.end();
      end();
    });
  }

  busy(): void {
    this.shared.idleHosts.wake(this);
  }

  private take(limiter: FairShareLimiter, name: string, makeWay: () => boolean): void {
    this.hold = limiter.hold(name);
    if (this.hold.take(1) || (makeWay() && this.hold.take(1))) return;
    throw new Overloaded('grpc_calls', 'too many calls are open');
  }

  /** The connection with the most open calls gives one up: this call's own, or one that keeps at least as many. */
  private makeWayOfStranger(): boolean {
    const { limiters, idleStrangers } = this.shared;
    const { grpcStrangers } = limiters;
    const largest = grpcStrangers.largest();
    if (largest === undefined) return false;
    const isFair = largest === this.peer || grpcStrangers.of(largest) >= grpcStrangers.of(this.peer) + 2;
    return isFair && idleStrangers.makeWay(largest);
  }

  private end(): void {
    this.isOver = true;
    this.shared.arriving.done(this);
    for (const key of this.untaken) this.shared.unread.done(key);
    this.hold?.end();
    this.shared.idleHosts.wake(this);
    this.shared.idleStrangers.wake(this);
  }

  private responder(): Responder {
    const { isOurs, isStream } = this.kind;
    return {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            try {
              this.admit(metadata, this);
            } catch (error) {
              return this.raw.sendStatus(this.statusOf(error, metadata));
            }
            // Hosts may keep a stream open without a limit.
            if (!isOurs || !isStream) this.limitArrival(isStream ? TOO_LONG : LATE);
            pass(metadata);
          },
          onReceiveHalfClose: (pass) => {
            if (!isStream) this.shared.arriving.done(this);
            pass();
          },
          onCancel: () => this.end(),
        }),
      sendStatus: (sent, next) => {
        // A host may keep a stream open without a time limit.
        this.answering();
        next(sent);
      },
    };
  }

  private limitArrival(ended: Ended): void {
    this.shared.arriving.watch(this, () => this.paced.sendStatus(ended));
  }
}

/** A call that can pause reading. Messages that arrive meanwhile wait at the client. */
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

/**
 * The library has one message limit for all services. This lowers it for a call that has just begun, compressed or not.
 */
function limitMessages(call: object, maxBytes: number): void {
  const { decoder } = Object.assign(call, { maxReceiveMessageSize: maxBytes }) as {
    decoder?: { maxReadMessageLength: number };
  };
  if (decoder !== undefined) decoder.maxReadMessageLength = maxBytes;
}

/**
 * The library ends a call whose message is too large with RESOURCE_EXHAUSTED, as if it may be tried again. This replaces that
 * status.
 */
function nameTooLarge(call: RawCall, tooLarge: () => Ended): void {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (sent) => {
    const isTooLarge = sent.code === status.RESOURCE_EXHAUSTED && (sent.details ?? '').startsWith('Received message');
    send(isTooLarge ? tooLarge() : sent);
  };
}

/**
 * Ends a stream as soon as its client resets it. Node's HTTP/2 keeps a stream that was reset without an error until
 * everything before the reset is read. That may never happen.
 */
function endWithReset(call: object): void {
  const { stream } = call as { stream?: ServerHttp2Stream };
  stream?.once('aborted', () => stream.destroy());
}
