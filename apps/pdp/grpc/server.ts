import {
  Server,
  ServerCredentials,
  logVerbosity,
  setLogVerbosity,
  type Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { SERVICE_NAMES, fullName, serviceOf } from '../../../libs/wire/protos.js';
import type { Readiness } from '../health/readiness.js';
import { admitted, type Principal } from '../edge/access.js';
import type { Handled } from '../edge/asked.js';
import { credentialsIn } from '../edge/credentials.js';
import type { Quotas } from '../edge/quotas.js';
import { boundGrpc, type BoundGrpc } from '../overload/grpc.js';
import type { Refusals } from '../overload/refusals.js';
import type { ServedCertificate } from '../reload/certificate.js';
import type { Told } from '../told.js';
import type { Service } from '../service.js';
import type { Settings } from '../settings.js';
import { Handlers, type HandlerParts, type MethodTypes } from './handlers.js';
import { isCheck, serveHealth } from './health.js';
import { serveReflection } from './reflection.js';
import { textIn } from './rpcs.js';
import { statusOf } from './status.js';
import type { ProblemOf } from './stream.js';
import { isWatch } from './watch.js';

/** Calls at once on one connection. */
const MAX_STREAMS = 1024;
/** A client that does not answer a ping is gone. */
const PING_MS = 30_000;
const PONG_MS = 10_000;

// The library would write lines of its own to standard error. Its errors already say what matters.
setLogVerbosity(logVerbosity.NONE);

const HOSTS_ONLY = ['host'] as const;
const OUR_PATHS = SERVICE_NAMES.map((name) => `/${fullName(name)}/`);

export interface GrpcParts {
  readonly quotas: Quotas;
  readonly readiness: Readiness;
  /** Undefined: without TLS. */
  readonly certificate: ServedCertificate | undefined;
  readonly told: Told;
  readonly refusals: Pick<Refusals, 'refused'>;
  /** The operations that the controllers serve. */
  readonly handled: readonly Handled[];
}

export interface GrpcServer {
  /** `host:port`, as bound. */
  readonly address: string;
  /** Refuses further calls, finishes what is in flight, and cuts off what is left after `forcedMs`. */
  close(forcedMs: number): Promise<void>;
}

/** Puts the gRPC interface on top of an opened service, which it does not close. */
export async function startGrpc(service: Service, parts: GrpcParts): Promise<GrpcServer> {
  const { limits, grpc } = service.settings;
  const leaving = new AbortController();
  const admit = (metadata: Metadata): Principal => admitted(service.authenticator, credentialsIn(metadata), HOSTS_ONLY);
  /** Undefined if the caller has no valid token. Only refusals ask, so the token is read a second time. */
  const nameOf = (metadata: Metadata): string | undefined => {
    const result = service.authenticator.authenticate(credentialsIn(metadata));
    return result.ok ? result.value.name : undefined;
  };
  const problemOf: ProblemOf = (error, metadata) =>
    parts.told(error, textIn(metadata, 'traceparent'), () => nameOf(metadata));
  const bound = boundCalls(service, parts.refusals, problemOf, admit);
  const server = newServer(bound, limits);
  const { openOf } = bound;
  addOurServices(server, new Handlers({ ...parts, service, problemOf, admit, openOf, leaving: leaving.signal }));
  serveHealth(server, parts.readiness, leaving.signal);
  serveReflection(server, ({ metadata }) => openOf(metadata));
  const address = await listen(bound, server, credentialsOf(parts.certificate), grpc);
  return {
    address,
    close(forcedMs) {
      leaving.abort();
      return close(server, bound, forcedMs);
    },
  };
}

/** The bounds of all calls. They admit the caller when a call begins. */
function boundCalls(
  service: Service,
  { refused }: GrpcParts['refusals'],
  problemOf: ProblemOf,
  admit: HandlerParts['admit'],
): BoundGrpc {
  return boundGrpc({
    refused,
    settings: service.settings,
    bounds: service.bounds,
    registry: service.metrics.registry,
    isOurs: (path) => OUR_PATHS.some((ours) => path.startsWith(ours)),
    isWatch,
    isCheck,
    admit,
    statusOf: (error, metadata) => statusOf(problemOf(error, metadata)),
  });
}

function newServer(bound: BoundGrpc, limits: Settings['limits']): Server {
  const { bodyBytes, definitionBytes, responseBytes } = limits;
  return new Server({
    interceptors: [bound.interceptor],
    'grpc.max_receive_message_length': Math.max(bodyBytes, definitionBytes, responseBytes),
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': PING_MS,
    'grpc.keepalive_timeout_ms': PONG_MS,
  });
}

/** Adds the services of our proto file. The library answers UNIMPLEMENTED to a method without a handler. */
function addOurServices(server: Server, handlers: Handlers): void {
  for (const name of SERVICE_NAMES) {
    const definition = serviceOf(name);
    const implementation: UntypedServiceImplementation = {};
    for (const [method, described] of Object.entries(definition)) {
      const handler = handlers.of(`${name}/${method}`, typesOf(described));
      if (handler !== undefined) implementation[method] = handler;
    }
    server.addService(withRawRequests(definition), implementation);
  }
}

/** Resolves to `host:port`, as bound. */
async function listen(
  bound: BoundGrpc,
  server: Server,
  credentials: ServerCredentials,
  { host, port }: Settings['grpc'],
): Promise<string> {
  const shownHost = host.includes(':') ? `[${host}]` : host;
  return bound.listen(server, credentials, host, port).catch(() => {
    throw new Error(`SALLYPORT_GRPC: cannot listen on ${shownHost}:${port}`);
  });
}

/** Finishes the calls in flight, and cuts off those that are left after `forcedMs`. */
async function close(server: Server, bound: BoundGrpc, forcedMs: number): Promise<void> {
  const forced = setTimeout(() => {
    server.forceShutdown();
    bound.cutAll();
  }, forcedMs);
  const ended = bound.stop();
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await ended;
  clearTimeout(forced);
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

function credentialsOf(certificate: ServedCertificate | undefined): ServerCredentials {
  return certificate === undefined ? ServerCredentials.createInsecure() : new ReloadedCredentials(certificate);
}

/** Gives the library each new certificate. Open connections and their watches go on. */
class ReloadedCredentials extends ServerCredentials {
  constructor(certificate: ServedCertificate) {
    super({}, certificate.pem);
    certificate.listen((pem) => this.updateSecureContextOptions(pem));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
