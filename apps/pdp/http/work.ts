import type { ServerResponse } from 'node:http';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { finalize, type Observable } from 'rxjs';
import { Problem } from '../edge/problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Resolves when the handler has finished. The handler goes on after its client has hung up. */
    work?: Promise<void>;
  }
}

/** Runs once the answer is closed, or immediately if it already is: the event fires only once. */
export function onceClosed(raw: Pick<ServerResponse, 'closed' | 'once'>, run: () => void): void {
  if (raw.closed) run();
  else raw.once('close', run);
}

/** Reports when the work on a request is over, so that a client gains no room by hanging up. */
export class WorkInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    // The closed request has already given back everything that was taken for it.
    if (http.getResponse<FastifyReply>().raw.closed) throw new Problem('malformed_request', 'the request has ended');
    const { promise, resolve } = Promise.withResolvers<void>();
    http.getRequest<FastifyRequest>().work = promise;
    return next.handle().pipe(finalize(resolve));
  }
}
