import {
  Server,
  ServerCredentials,
  logVerbosity,
  setLogVerbosity,
  type Metadata,
  type MethodDefinition,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { authorizeCall } from '../../../libs/contract/calls.js';
import { watchDirectives } from '../../../libs/contract/directives.js';
import { SERVICE_NAMES, fullName, protos, serviceOf } from '../../../libs/wire/protos.js';
import type { Readiness } from '../health/readiness.js';
import { admitted, charge, type Principal } from '../edge/access.js';
import type { Handled } from '../edge/asked.js';
import { credentialsIn } from '../edge/credentials.js';
import { Problem } from '../edge/problem.js';
import type { Quotas } from '../edge/quotas.js';
import { boundGrpc } from '../overload/grpc.js';
import type { Service } from '../service.js';
import { fromMessage, messageLimits, readMessage, toMessage } from './codec.js';
import { isCheck, serveHealth } from './health.js';
import { serveReflection } from './reflection.js';
import { rpcsOf, textIn, type Rpc } from './rpcs.js';
import { statusOf } from './status.js';
import { isWatch, serveWatch, type WatchCall } from './watch.js';
import { serveStream, type DecisionStream, type ProblemOf } from './stream.js';

/** Calls at once on one connection. */
const MAX_STREAMS = 1024;
/** A client that does not answer a ping is gone. */
const PING_MS = 30_000;
const PONG_MS = 10_000;

// It would write lines of its own to standard error; what matters is in the errors that it gives.
setLogVerbosity(logVerbosity.NONE);

const HOSTS_ONLY = ['host'] as const;
const OUR_PATHS = SERVICE_NAMES.map((name) => `/${fullName(name)}/`);

export interface GrpcParts {
  readonly quotas: Quotas;
  readonly readiness: Readiness;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  readonly problemOf: ProblemOf;
  /** The operations that the controllers serve. */
  readonly handled: readonly Handled[];
}

export interface GrpcServer {
  /** `host:port`, as bound. */
  readonly address: string;
  /** Takes no more calls, finishes what is in flight, and cuts off what is left after `forcedMs`. */
  close(forcedMs: number): Promise<void>;
}

/** Puts the gRPC interface on top of an opened service, which it does not close. */
export async function startGrpc(service: Service, parts: GrpcParts): Promise<GrpcServer> {
  const { settings, bounds } = service;
  const { bodyBytes, definitionBytes, responseBytes } = settings.limits;
  const { quotas, readiness, problemOf, tls } = parts;
  const limits = messageLimits(settings.limits);
  const leaving = new AbortController();
  /** Asked when a call begins, and again once its message is there: a token may end while that takes its time. */
  const admit = (metadata: Metadata): Principal => admitted(service.authenticator, credentialsIn(metadata), HOSTS_ONLY);
  const bound = boundGrpc({
    settings,
    bounds,
    registry: service.metrics.registry,
    isOurs: (path) => OUR_PATHS.some((ours) => path.startsWith(ours)),
    isWatch,
    isCheck,
    admit,
    statusOf: (error, metadata) => statusOf(problemOf(error, textIn(metadata, 'traceparent'))),
  });
  const server = new Server({
    interceptors: [bound.interceptor],
    'grpc.max_receive_message_length': Math.max(bodyBytes, definitionBytes, responseBytes),
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': PING_MS,
    'grpc.keepalive_timeout_ms': PONG_MS,
  });
  const watch = (call: WatchCall): void => {
    try {
      const caller = admit(call.metadata);
      const { request: message } = call;
      charge(quotas, caller, { bytes: message.length, purpose: 'directives' });
      const { bodyBytes: limit } = settings.limits;
      if (message.length > limit) throw new Problem('too_large', `the message is larger than ${limit} bytes`);
      const request = fromMessage('WatchDirectivesRequest', readMessage('WatchDirectivesRequest', message), limits);
      const open = bound.openOf(call.metadata);
      void serveWatch(call, caller, request, {
        watches: service.feed.watches,
        problemOf,
        open,
        onAnswer: service.onGrpcAnswer,
      });
    } catch (error) {
      call.emit('error', statusOf(problemOf(error, textIn(call.metadata, 'traceparent'))));
    }
  };
  const unary = ({ requestType, responseType }: MethodTypes, { operation, serve }: Rpc) => {
    const { admission, bodyLimit = 'bodyBytes', quota = 'calls' } = operation;
    const answer = async (call: UnaryCall): Promise<object> => {
      const { request: message, metadata } = call;
      const caller = admit(call.metadata);
      if (admission === 'calls') bounds.calls.refuseIfFull();
      charge(quotas, caller, { bytes: message.length, purpose: quota });
      const limit = settings.limits[bodyLimit];
      if (message.length > limit) throw new Problem('too_large', `the message is larger than ${limit} bytes`);
      const request = fromMessage(requestType, readMessage(requestType, message), limits);
      const shape = await serve(request, { caller, metadata, bytes: message.length });
      service.onGrpcAnswer?.(operation, shape);
      return toMessage(responseType, shape);
    };
    const reply = async (call: UnaryCall, callback: sendUnaryData<object>): Promise<void> => {
      let message: object;
      try {
        message = await answer(call);
      } catch (error) {
        return callback(statusOf(problemOf(error, textIn(call.metadata, 'traceparent'))));
      }
      callback(null, message);
    };
    return (call: UnaryCall, callback: sendUnaryData<object>): void => void reply(call, callback);
  };
  const stream = (call: DecisionStream): void => {
    try {
      serveStream(call, admit(call.metadata), {
        service,
        quotas,
        problemOf,
        leaving: leaving.signal,
        open: bound.openOf(call.metadata),
      });
    } catch (error) {
      call.emit('error', statusOf(problemOf(error, textIn(call.metadata, 'traceparent'))));
    }
  };

  const rpcs = rpcsOf(service, parts.handled);
  const streams = new Map<string, HandleCall>([
    [authorizeCall.rpcStream, stream],
    [watchDirectives.rpcStream, watch],
  ]);
  for (const name of SERVICE_NAMES) {
    const definition = serviceOf(name);
    const implementation: UntypedServiceImplementation = {};
    for (const method of Object.keys(definition)) {
      const rpc = rpcs.get(`${name}/${method}`);
      const serve = rpc === undefined ? streams.get(`${name}/${method}`) : unary(typesOf(definition[method]), rpc);
      if (serve !== undefined) implementation[method] = serve;
    }
    server.addService(withRawRequests(definition), implementation);
  }
  serveHealth(server, readiness, leaving.signal);
  const shown = { ...protos(), ...loadSync(healthProto, { keepCase: true }) };
  serveReflection(server, shown, ({ metadata }) => bound.openOf(metadata));

  const { host, port } = settings.grpc;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  const boundPort = await bound.listen(server, credentialsOf(tls), host, port).catch(() => {
    throw new Error(`SALLYPORT_GRPC: cannot listen on ${shownHost}:${port}`);
  });
  return {
    address: `${shownHost}:${boundPort}`,
    async close(forcedMs) {
      leaving.abort();
      const forced = setTimeout(() => {
        server.forceShutdown();
        bound.cutAll();
      }, forcedMs);
      const ended = bound.stop();
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      await ended;
      clearTimeout(forced);
    },
  };
}

type UnaryCall = ServerUnaryCall<Buffer, object>;
type HandleCall = UntypedServiceImplementation[string];

interface MethodTypes {
  readonly requestType: string;
  readonly responseType: string;
}

/** The names of a method's messages in our package. */
function typesOf(method: unknown): MethodTypes {
  const { requestType, responseType } = method as Record<keyof MethodTypes, { type: { name: string } }>;
  return { requestType: requestType.type.name, responseType: responseType.type.name };
}

/** The same service with requests left as bytes: they are read once it is known who sends them, and how many they are. */
function withRawRequests(definition: ServiceDefinition): ServiceDefinition {
  const raw = (method: MethodDefinition<unknown, unknown>) => ({
    ...method,
    requestDeserialize: (bytes: Buffer) => bytes,
  });
  return Object.fromEntries(Object.entries(definition).map(([name, method]) => [name, raw(method)]));
}

function credentialsOf(tls: GrpcParts['tls']): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(null, [{ cert_chain: tls.cert, private_key: tls.key }]);
}
