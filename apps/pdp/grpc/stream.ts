import type { ServerDuplexStream } from '@grpc/grpc-js';
import { charge, type Principal } from '../http/access.js';
import { Problem } from '../http/problem.js';
import type { Quotas } from '../http/quotas.js';
import type { Service } from '../service.js';
import { fromMessage, readMessage, toMessage } from './codec.js';
import { authorize, textIn, type Asking } from './rpcs.js';
import { statusOf } from './status.js';

/** Most requests in a message, and how many a stream may have in flight before its next message has to wait. */
export const MAX_IN_FLIGHT = 256;

export type DecisionStream = ServerDuplexStream<Buffer, object>;

/** What was thrown, as a problem; logs what was not foreseen, with the trace of the call. */
export type ProblemOf = (error: unknown, traceparent: string | undefined) => Problem;

export interface StreamParts {
  readonly service: Service;
  readonly quotas: Quotas;
  readonly problemOf: ProblemOf;
  /** Aborted when the service goes away: what is in flight is answered, then the stream ends. */
  readonly leaving: AbortSignal;
  /** An answer leaves, which the client has to take in time; to be told when it has. */
  readonly answering: () => () => void;
}

/**
 * Answers each message with one message, in order. The requests of a message are decided side by side, so that they are
 * recorded together; messages overlap too. Reading pauses while there is enough in flight or the client does not read.
 */
export function serveStream(call: DecisionStream, caller: Principal, parts: StreamParts): void {
  const { leaving, problemOf, answering } = parts;
  const { settings, bounds } = parts.service;
  const maxBytes = settings.limits.definitionBytes;
  const inFlight = { requests: 0, bytes: 0 };
  let done = Promise.resolve();
  let failed = false;

  const fail = (why: unknown): void => {
    if (failed) return;
    failed = true;
    call.pause();
    const status = statusOf(problemOf(why, textIn(call.metadata, 'traceparent')));
    void done.then(() => call.emit('error', status));
  };
  /** Counts what is asked, and what is answered as long as it has not left: a client that does not read gets no more. */
  const count = (requests: number, bytes: number): void => {
    // What was held has been given back when the stream was closed.
    if (call.destroyed) return;
    if (bytes < 0) bounds.bodies.giveBack(caller.name, -bytes);
    inFlight.requests += requests;
    inFlight.bytes += bytes;
    if (inFlight.requests >= MAX_IN_FLIGHT || inFlight.bytes >= maxBytes) call.pause();
    else if (!failed) call.resume();
  };
  const send = async (earlier: Promise<void>, answers: Promise<object[]>, left: () => void): Promise<void> => {
    await earlier;
    const message = toMessage('AuthorizeStreamResponse', { answers: await answers });
    if (call.cancelled) return;
    const taken = answering();
    call.write(message, () => {
      taken();
      left();
    });
  };
  const take = (bytes: Buffer): void => {
    if (failed || call.cancelled) return;
    try {
      const requests = requestsIn(bytes, maxBytes);
      // A message without requests is work, too.
      const size = Math.max(requests.length, 1);
      const hasRoom = bounds.bodies.take(caller.name, bytes.length);
      const held = hasRoom ? bytes.length : 0;
      count(size, held);
      const asking = { caller, metadata: call.metadata, bytes: bytes.length };
      const answers = Promise.all(
        requests.map((request, index) => answer(parts, request, asking, index === 0, hasRoom)),
      );
      done = send(done, answers, () => count(-size, -held));
    } catch (error) {
      fail(error);
    }
  };

  const leave = (): void => fail(new Problem('log_unavailable', 'the service is going away'));
  leaving.addEventListener('abort', leave);
  call.on('close', () => {
    leaving.removeEventListener('abort', leave);
    bounds.bodies.giveBack(caller.name, inFlight.bytes);
    inFlight.bytes = 0;
  });
  call.on('end', () => {
    leaving.removeEventListener('abort', leave);
    if (!failed) void done.then(() => call.end());
  });
  call.on('data', take);
  if (leaving.aborted) leave();
}

type WireRequest = Readonly<Record<string, unknown>>;

function requestsIn(bytes: Buffer, maxBytes: number): readonly WireRequest[] {
  if (bytes.length > maxBytes) throw new Problem('too_large', `the message is larger than ${maxBytes} bytes`);
  const { requests } = readMessage('AuthorizeStreamRequest', bytes) as { requests: WireRequest[] };
  if (requests.length > MAX_IN_FLIGHT)
    throw new Problem('too_large', `a message has at most ${MAX_IN_FLIGHT} requests`);
  return requests;
}

/** The answer to one request: a decision, or why there is none. Never rejects. The first pays for its message's bytes. */
async function answer(
  { service, quotas, problemOf }: StreamParts,
  request: WireRequest,
  asking: Asking,
  isFirst: boolean,
  hasRoom: boolean,
): Promise<object> {
  const { call_id: callId } = request as { call_id?: string };
  try {
    if (!hasRoom) throw new Problem('overloaded', 'too many bytes are on their way');
    charge(quotas, asking.caller, { bytes: isFirst ? asking.bytes : 0 });
    // As deep as a body of its own may be.
    const asked = fromMessage('AuthorizeRequest', request, service.settings.limits.jsonDepth);
    return { callId, decision: await authorize(service, asked, asking) };
  } catch (error) {
    const { code, detail, errors = [] } = problemOf(error, textIn(asking.metadata, 'traceparent'));
    return { callId, problem: { code, detail, errors } };
  }
}
