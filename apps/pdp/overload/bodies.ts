import { Transform, type Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { callerOf, operationOf } from '../edge/access.js';
import { Problem } from '../edge/problem.js';
import type { Settings } from '../settings.js';
import type { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import { onceClosed } from '../http/work.js';

/** A body that says it is smaller is not counted: a connection holds one at a time, and connections are bounded. */
export const SMALL_BYTES = 16_384;

/**
 * Counts the bytes of larger bodies as they come in, until the request has been answered; one that there is no room for
 * is a 429 as soon as that shows, and one that is too large for its route a 413. What is announced costs nothing:
 * clients that send a byte at a time keep nobody out.
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
      // A small one that does not say so is none that anybody is kept out for.
      if (read <= SMALL_BYTES) return undefined;
      if (!hold.take(read - held)) return new Problem('overloaded', 'too many bytes are on their way');
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
  // A client that goes away in the middle ends it too; what is left of a refused body is thrown away.
  request.raw.once('close', () => {
    if (!request.raw.complete) counting.destroy(new Problem('malformed_request', 'the request was not sent whole'));
  });
  counting.once('error', () => payload.unpipe(counting).resume());
  return payload.pipe(counting);
}
