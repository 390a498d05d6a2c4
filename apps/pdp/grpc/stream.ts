import type { Metadata, ServerDuplexStream } from '@grpc/grpc-js';
import { authorizeCall } from '../../../libs/contract/calls.js';
import { charge, type Principal } from '../edge/access.js';
import { Overloaded, Problem } from '../edge/problem.js';
import type { Quotas } from '../edge/quotas.js';
import type { OpenCall } from '../overload/grpc.js';
import type { Service } from '../service.js';
import { fromMessage, messageLimits, readMessage, toMessage } from './codec.js';
import { authorizeOver, type Calling } from './rpcs.js';
import { errorsIn, statusOf } from './status.js';

/** Most requests in a message, and most in flight on a stream before its next message waits. */
export const MAX_IN_FLIGHT = 256;

const MADE_WAY = new Overloaded('idle', 'the stream was idle, and another one needs its place');
const NO_ROOM = new Overloaded('bodies', 'too many bytes are on their way');

export type DecisionStream = ServerDuplexStream<Buffer, object>;

/** A thrown value as a problem. Logs an unforeseen error with the trace of the call, and counts a refusal for its host. */
export type ProblemOf = (error: unknown, metadata: Metadata) => Problem;

export interface StreamParts {
  readonly service: Service;
  readonly quotas: Quotas;
  readonly problemOf: ProblemOf;
  /** Aborted on shutdown. Requests in flight are answered, then the stream ends. */
  readonly leaving: AbortSignal;
  readonly open: OpenCall;
}

/**
 * Answers each message with one message, in order. The requests of a message are decided concurrently, so that they are
 * recorded together. Messages overlap too. A message that cannot be read has a problem for its answer. Reading pauses while enough is in flight or the client does not read.
 */
export function serveStream(call: DecisionStream, caller: Principal, parts: StreamParts): void {
  const { leaving, problemOf, open } = parts;
  const { settings, bounds } = parts.service;
  const maxBytes = settings.limits.definitionBytes;
  const inFlight = { requests: 0, bytes: 0 };
  const hold = bounds.bodies.hold(caller.name);
  let done = Promise.resolve();
  let failed = false;

  /** If only the stream paused, the library would still buffer as many messages as it likes. */
  const holdBack = (): void => {
    open.pause();
    call.pause();
  };
  const goOn = (): void => {
    open.resume();
    call.resume();
  };
  const fail = (why: unknown): void => {
    if (failed) return;
    failed = true;
    holdBack();
    const status = statusOf(problemOf(why, call.metadata));
    void done.then(() => call.emit('error', status));
  };
  /** Counts requests, and answers until they have left: a client that does not read gets nothing further. */
  const count = (requests: number, bytes: number): void => {
    if (bytes < 0) hold.giveBack(-bytes);
    if (call.destroyed) return;
    inFlight.requests += requests;
    inFlight.bytes += bytes;
    if (inFlight.requests > 0) open.busy();
    else rest();
    if (inFlight.requests >= MAX_IN_FLIGHT || inFlight.bytes >= maxBytes) holdBack();
    else if (!failed) goOn();
  };
  /** The stream is idle, so it makes way if its host needs the place. */
  const rest = (): void => open.idle(() => fail(MADE_WAY));
  const send = async (earlier: Promise<void>, answered: Promise<object>, left: () => void): Promise<void> => {
    await earlier;
    const message = toMessage('AuthorizeStreamResponse', await answered);
    if (call.cancelled) return;
    const taken = open.answering();
    call.write(message, () => {
      taken();
      left();
    });
  };
  /** Why the quota has no room for a message as a whole. Each of its requests is charged on its own. */
  const overQuota = (bytes: number): Problem | undefined => {
    try {
      charge(parts.quotas, caller, { bytes, requests: 0 });
      return undefined;
    } catch (error) {
      return error as Problem;
    }
  };
  const take = (bytes: Buffer): void => {
    if (failed || call.cancelled) return;
    try {
      let refused = overQuota(bytes.length);
      const requests = requestsIn(bytes, maxBytes);
      if (refused === undefined && !hold.take(bytes.length)) refused = NO_ROOM;
      const held = refused === undefined ? bytes.length : 0;
      // A message without requests also counts as work.
      const size = Math.max(requests.length, 1);
      count(size, held);
      const calling = { caller, metadata: call.metadata, bytes: bytes.length };
      const answers = Promise.all(requests.map((request) => answer(parts, request, calling, refused)));
      const answered = answers.then((all) => ({ answers: all }));
      done = send(done, answered, () => count(-size, -held));
    } catch (error) {
      count(1, 0);
      const answered = Promise.resolve({ answers: [], problem: shownProblem(parts, error, call.metadata) });
      done = send(done, answered, () => count(-1, 0));
    }
  };

  const leave = (): void => fail(new Problem('log_unavailable', 'the service is shutting down'));
  leaving.addEventListener('abort', leave);
  call.on('close', () => {
    leaving.removeEventListener('abort', leave);
    hold.end();
  });
  call.on('end', () => {
    leaving.removeEventListener('abort', leave);
    if (!failed) void done.then(() => call.end());
  });
  call.on('data', take);
  rest();
  if (leaving.aborted) leave();
}

type WireRequest = Readonly<Record<string, unknown>>;

/** The requests of a message. Throws `Problem` if it is too large, holds too many, or is no message. */
function requestsIn(bytes: Buffer, maxBytes: number): readonly WireRequest[] {
  if (bytes.length > maxBytes) throw new Problem('too_large', `the message is larger than ${maxBytes} bytes`);
  const { requests } = readMessage('AuthorizeStreamRequest', bytes) as { requests: WireRequest[] };
  if (requests.length > MAX_IN_FLIGHT)
    throw new Problem('too_large', `a message has at most ${MAX_IN_FLIGHT} requests`);
  return requests;
}

/**
 * The answer to one request: a decision, or the problem. Never rejects. `refused` is set if the whole message is
 * refused.
 */
async function answer(
  parts: StreamParts,
  request: WireRequest,
  calling: Calling,
  refused: Problem | undefined,
): Promise<object> {
  const { service, quotas } = parts;
  const { call_id: asked } = request;
  const callId = typeof asked === 'string' ? asked : undefined;
  try {
    if (refused !== undefined) throw refused;
    charge(quotas, calling.caller, { bytes: 0 });
    // The request may be as deep as an HTTP body.
    const shape = fromMessage('AuthorizeRequest', request, messageLimits(service.settings.limits));
    const decision = await authorizeOver(service, shape, calling);
    service.onGrpcAnswer?.(authorizeCall, decision);
    return { callId, decision };
  } catch (error) {
    return { callId, problem: shownProblem(parts, error, calling.metadata) };
  }
}

/** A problem as a message shows it. */
function shownProblem({ problemOf }: StreamParts, error: unknown, metadata: Metadata): object {
  const problem = problemOf(error, metadata);
  const { code, detail } = problem;
  return { code, detail, errors: errorsIn('AuthorizeRequest', problem) ?? [] };
}
