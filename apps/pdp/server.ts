import 'reflect-metadata';
import { lookup } from 'node:dns/promises';
import { Server as TlsServer } from 'node:tls';
import { Catch, type ArgumentsHost, type ExceptionFilter, type INestApplication } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { defined } from '../../libs/kernel/defined.js';
import { AppModule } from './app.module.js';
import { routeAuthorize, takeDirectly } from './calls/direct-authorize.js';
import { startGrpc } from './grpc/server.js';
import { Readiness } from './health/readiness.js';
import { authenticate } from './edge/access.js';
import type { Handled } from './edge/asked.js';
import { acceptStrictJson } from './edge/body.js';
import { awaitFreshness } from './edge/freshness.js';
import { handledBy } from './http/handles.js';
import { answerExpectations, answerParserError } from './http/parser-errors.js';
import { problemOf, type Problem } from './edge/problem.js';
import { Quotas } from './edge/quotas.js';
import { refuseUnknownQuery, unroutable } from './http/routing.js';
import { traceparentOf } from './http/traceparent.js';
import { ClockWatch } from './observability/clock-watch.js';
import { addGauge } from './observability/gauges.js';
import { failureLog } from './observability/logger.js';
import { listenForScrapes } from './observability/metrics-listener.js';
import { addressOf } from './edge/address.js';
import { boundHttp, timeLimits } from './overload/http.js';
import { giveTimeBack } from './overload/patience.js';
import { Refusals } from './overload/refusals.js';
import { ServedCertificate } from './reload/certificate.js';
import { startReloader } from './reload/start.js';
import type { Service } from './service.js';
import { tellProblems, type Told } from './told.js';

/** How long a shutdown waits for clients that send or read slowly, in milliseconds. */
const DRAIN_MS = 6000;

export interface Server {
  readonly app: INestApplication;
  /** `http://host:port`, at which a client on this machine reaches it. */
  readonly url: string;
  /** `host:port` of the gRPC interface, as bound. */
  readonly grpc: string;
  /** `host:port` of each interface, as bound. A name in the settings became a number, and port 0 the real one. */
  readonly bound: { readonly http: string; readonly grpc: string; readonly metrics?: string };
  /** Every route, for tests that go over all of them. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  /** Reads certificates and the secrets of Kafka again, and writes one line about it. */
  reload(): Promise<void>;
  /** Accepts no further requests, finishes those in flight, then closes the service. */
  close(): Promise<void>;
}

/**
 * Puts the HTTP and gRPC interfaces on top of an opened service. Owns the service from here on: `close` closes all
 * three.
 */
export async function startServer(service: Service, logger: Logger): Promise<Server> {
  const { settings, clock } = service;
  const { view } = service.control;
  const certificate = settings.tls && new ServedCertificate(settings.tls);
  const adapter = new FastifyAdapter({
    ...(certificate === undefined
      ? { http: timeLimits(settings.bounds) }
      : { https: { ...certificate.pem, ...timeLimits(settings.bounds) } }),
    routerOptions: { maxParamLength: 1024 },
    forceCloseConnections: 'idle',
    requestTimeout: settings.bounds.clientMs,
    return503OnClosing: false,
    clientErrorHandler: answerParserError,
    frameworkErrors: (error: Error, _request: unknown, reply: FastifyReply) => send(reply, problemOf(error)),
  });
  const server = adapter.getInstance<FastifyInstance>();
  answerExpectations(server.server);
  certificate?.listen((pem) => {
    if (server.server instanceof TlsServer) server.server.setSecureContext(pem);
  });
  const routes: { method: string; path: string }[] = [];
  server.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) if (each !== 'HEAD') routes.push({ method: each, path: url });
  });
  const { registry } = service.metrics;
  const refusals = new Refusals({
    registry,
    warn: (fields, text) => logger.warn(fields, text),
    nowMs: () => clock.monotonicMs(),
  });
  const told = tellProblems(failureLog(logger), refusals);
  const quotas = new Quotas(clock, settings.limits);
  server.addHook('onRequest', authenticate(service.authenticator, quotas, unroutable, settings.logPublic));
  const connections = boundHttp(server, settings, service.bounds, registry, refusals.refused);
  server.addHook('preHandler', refuseUnknownQuery);
  server.addHook('preHandler', awaitFreshness(view));
  const { tracing } = service;
  if (tracing !== undefined) {
    server.addHook('preHandler', (_request, reply, done) => {
      tracing.responses.run((traceresponse) => void reply.header('traceresponse', traceresponse), done);
    });
  }
  acceptStrictJson(server, settings.limits, quotas);
  let draining = false;
  server.addHook('onSend', (_request, reply, _payload, done) => {
    // A connection that is kept alive after the last answer would keep the server from closing.
    if (draining) reply.header('connection', 'close');
    done();
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.for(service), adapter, {
    logger: false,
    bodyParser: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new ProblemFilter(told));
  const hotPath = { authorizer: service.decisions.authorizer, limits: settings.limits };
  routeAuthorize(server, hotPath);
  takeDirectly(server.server, {
    ...hotPath,
    authenticator: service.authenticator,
    quotas,
    gate: service.bounds.calls,
    connections,
    tracing,
    keepsConnections: () => !draining,
    told,
  });
  giveTimeBack(server.server, settings.bounds.clientMs);
  // One address only: for `localhost` the framework would open a second server, which these bounds do not cover.
  const { address } = await lookup(settings.http.host);
  await app.listen(settings.http.port, address);
  const readiness = app.get(Readiness);
  const grpc = await startGrpc(service, {
    quotas,
    readiness,
    certificate,
    told,
    refusals,
    handled: handledIn(app),
  }).catch(async (error: unknown) => {
    await app.close();
    throw error;
  });
  const scraped = await listenForScrapes(settings.metrics, service.metrics.scrapes, logger).catch(async (error) => {
    await Promise.all([app.close(), grpc.close(0)]);
    throw error;
  });
  addGauge(service.metrics.registry, 'sallyport_ready', 'Whether a call could be allowed now, 0 or 1.', async () =>
    (await readiness.whyNotYet()) === undefined ? 1 : 0,
  );
  const clockWatch = new ClockWatch(service.control.time, settings.skewMs, logger);
  const reloader = startReloader(service, certificate, logger);
  const close = async (): Promise<void> => {
    draining = true;
    reloader.stop();
    clockWatch.stop();
    scraped.close();
    readiness.drain();
    service.feed.watches.drain();
    service.decisions.waits.drain();
    const slow = setTimeout(() => server.server.closeAllConnections(), DRAIN_MS);
    await Promise.all([app.close().finally(() => clearTimeout(slow)), grpc.close(DRAIN_MS)]);
    connections.stop();
    refusals.stop();
    await service.close();
  };
  const bound = defined({ http: addressOf(server.server), grpc: grpc.address, metrics: scraped.address });
  const reload = (): Promise<void> => reloader.now();
  return { app, url: await app.getUrl(), grpc: grpc.address, bound, routes, reload, close };
}

/** The operations that the controllers serve. */
const handledIn = (app: INestApplication): Handled[] =>
  [...app.get(ModulesContainer).values()]
    .flatMap(({ controllers }) => [...controllers.values()])
    .flatMap(({ instance }) => handledBy(instance));

/** Turns every error behind a route into a problem document, in this one place. */
@Catch()
class ProblemFilter implements ExceptionFilter {
  constructor(private readonly told: Told) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    send(
      http.getResponse<FastifyReply>(),
      this.told(error, traceparentOf(request), () => request.principal?.name),
    );
  }
}

function send(reply: FastifyReply, problem: Problem): void {
  void reply
    .status(problem.status)
    .headers(problem.headers)
    .header('content-type', 'application/problem+json')
    .send(JSON.stringify(problem.toJson()));
}
