import { Transform, type Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { callerOf, operationOf } from '../edge/access.js';
import { Overloaded, Problem } from '../edge/problem.js';
import type { Settings } from '../settings.js';
import type { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import { onceClosed } from '../http/work.js';

/**
 * A body that announces a smaller size is not counted: a connection holds one body at a time, and connections are
 * bounded.
 */
export const SMALL_BYTES = 16_384;

/**
 * Counts the bytes of larger bodies as they arrive, until their request is answered. A body without room is a 429 as
 * soon as that shows. A body that is too large for its route is a 413. An announced size costs nothing: clients that
 * send a byte at a time keep nobody out.
 */
export function boundBodies(server: FastifyInstance, shares: FairShareLimiter, limits: Settings['limits']): void {
  server.addHook('preParsing', (request, reply, payload, done) => {
    const announced = request.headers['content-length'];
    if (request.principal === undefined || (announced !== undefined && Number(announced) <= SMALL_BYTES)) {
      return done(null, payload);
    }
    const limit = limits[operationOf(request)?.bodyLimit ?? 'bodyBytes'];
    if (Number(announced) > limit) {
      reply.header('connection', 'close');
      return done(tooLarge(limit));
    }
    const hold = shares.hold(callerOf(request).name);
    onceClosed(reply.raw, () => hold.end());
    let read = 0;
    let held = 0;
    const take = (bytes: number): Problem | undefined => {
      if (reply.raw.closed) return new Problem('malformed_request', 'the request has ended');
      read += bytes;
      if (read > limit) return tooLarge(limit);
      // A small body that announces no size is not counted either.
      if (read <= SMALL_BYTES) return undefined;
      if (!hold.take(read - held)) return new Overloaded('bodies', 'too many bytes are on their way');
      held = read;
      return undefined;
    };
    done(null, counted(request, payload, take));
  });
}

const tooLarge = (limit: number): Problem => new Problem('too_large', `the body is larger than ${limit} bytes`);

function counted(request: FastifyRequest, payload: Readable, take: (bytes: number) => Problem | undefined): Readable {
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      const problem = take(chunk.length);
      if (problem === undefined) next(null, chunk);
      else next(problem);
    },
  });
  // A client that leaves early ends the count too. The rest of a refused body is discarded.
  request.raw.once('close', () => {
    if (!request.raw.complete) counting.destroy(new Problem('malformed_request', 'the request was not sent whole'));
  });
  counting.once('error', () => payload.unpipe(counting).resume());
  return payload.pipe(counting);
}
