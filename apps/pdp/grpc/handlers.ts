import type {
  Metadata,
  sendUnaryData,
  ServerUnaryCall,
  StatusObject,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { authorizeCall } from '../../../libs/contract/calls.js';
import { watchDirectives } from '../../../libs/contract/directives.js';
import type { BodyLimit } from '../../../libs/contract/operation.js';
import { charge, type Principal } from '../edge/access.js';
import type { Handled } from '../edge/asked.js';
import { Problem } from '../edge/problem.js';
import type { Purpose, Quotas } from '../edge/quotas.js';
import type { BoundGrpc } from '../overload/grpc.js';
import type { Service } from '../service.js';
import { fromMessage, messageLimits, readMessage, toMessage } from './codec.js';
import { rpcsOf, type Rpc } from './rpcs.js';
import { statusOf } from './status.js';
import { serveStream, type DecisionStream, type ProblemOf } from './stream.js';
import { serveWatch, WATCH_TYPE, type WatchCall } from './watch.js';

export interface HandlerParts {
  readonly service: Service;
  readonly quotas: Quotas;
  readonly problemOf: ProblemOf;
  /** The operations that the controllers serve. */
  readonly handled: readonly Handled[];
  /** The caller of a call. Throws `Problem`. */
  readonly admit: (metadata: Metadata) => Principal;
  readonly openOf: BoundGrpc['openOf'];
  /** Aborted when the service shuts down. */
  readonly leaving: AbortSignal;
}

export type Handler = UntypedServiceImplementation[string];
type UnaryCall = ServerUnaryCall<Buffer, object>;

/** The names of a method's messages in our package. */
export interface MethodTypes {
  readonly requestType: string;
  readonly responseType: string;
}

/**
 * The handlers of our own methods. Each one admits its caller a second time, after the interceptor: a token may end while
 * the message arrives. Each one ends a call that fails with the status of its problem.
 */
export class Handlers {
  private readonly rpcs: ReadonlyMap<string, Rpc>;
  private readonly streams: ReadonlyMap<string, Handler>;
  private readonly messageLimits: ReturnType<typeof messageLimits>;

  constructor(private readonly parts: HandlerParts) {
    this.rpcs = rpcsOf(parts.service, parts.handled);
    this.streams = new Map<string, Handler>([
      [authorizeCall.rpcStream, (call: DecisionStream) => this.decide(call)],
      [watchDirectives.rpcStream, (call: WatchCall) => this.watch(call)],
    ]);
    this.messageLimits = messageLimits(parts.service.settings.limits);
  }

  /** The handler of a method, named `Service/Method`. Undefined if no operation of the contract names it. */
  of(method: string, types: MethodTypes): Handler | undefined {
    const rpc = this.rpcs.get(method);
    if (rpc === undefined) return this.streams.get(method);
    return (call: UnaryCall, callback: sendUnaryData<object>) => void this.reply(call, types, rpc, callback);
  }

  private async reply(call: UnaryCall, types: MethodTypes, rpc: Rpc, callback: sendUnaryData<object>): Promise<void> {
    let message: object;
    try {
      message = await this.answer(call, types, rpc);
    } catch (error) {
      return callback(this.failure(error, call.metadata, types.requestType));
    }
    callback(null, message);
  }

  private async answer(
    { request: message, metadata }: UnaryCall,
    { requestType, responseType }: MethodTypes,
    { operation, serve }: Rpc,
  ): Promise<object> {
    const { admit, service } = this.parts;
    const { admission, bodyLimit = 'bodyBytes', quota = 'calls' } = operation;
    const caller = admit(metadata);
    if (admission === 'calls') service.bounds.calls.refuseIfFull();
    this.charge(caller, message, quota);
    const request = this.read(requestType, message, bodyLimit);
    const shape = await serve(request, { caller, metadata, bytes: message.length });
    service.onGrpcAnswer?.(operation, shape);
    return toMessage(responseType, shape);
  }

  private watch(call: WatchCall): void {
    const { admit, openOf, problemOf, service } = this.parts;
    try {
      const caller = admit(call.metadata);
      this.charge(caller, call.request, 'directives');
      const request = this.read(WATCH_TYPE, call.request, 'bodyBytes');
      const open = openOf(call.metadata);
      const { watches } = service.feed;
      void serveWatch(call, caller, request, { watches, problemOf, open, onAnswer: service.onGrpcAnswer });
    } catch (error) {
      call.emit('error', this.failure(error, call.metadata));
    }
  }

  private decide(call: DecisionStream): void {
    const { admit, openOf, service, quotas, problemOf, leaving } = this.parts;
    try {
      const caller = admit(call.metadata);
      serveStream(call, caller, { service, quotas, problemOf, leaving, open: openOf(call.metadata) });
    } catch (error) {
      call.emit('error', this.failure(error, call.metadata));
    }
  }

  private charge(caller: Principal, message: Buffer, purpose: Purpose): void {
    charge(this.parts.quotas, caller, { bytes: message.length, purpose });
  }

  /** A message in the contract's shape, as it came. Throws `Problem` if it is too large or malformed. */
  private read(type: string, message: Buffer, bodyLimit: BodyLimit): unknown {
    const limit = this.parts.service.settings.limits[bodyLimit];
    if (message.length > limit) throw new Problem('too_large', `the message is larger than ${limit} bytes`);
    return fromMessage(type, readMessage(type, message), this.messageLimits);
  }

  private failure(error: unknown, metadata: Metadata, requestType?: string): StatusObject {
    return statusOf(this.parts.problemOf(error, metadata), requestType);
  }
}
