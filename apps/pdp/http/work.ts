import type { ServerResponse } from 'node:http';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { finalize, type Observable } from 'rxjs';
import { Problem } from '../edge/problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Resolves when its handler has done its work, which goes on where the client has hung up. */
    work?: Promise<void>;
  }
}

/** Runs once the answer has been closed, at once if it is closed already: its event comes once, and may have come. */
export function onceClosed(raw: Pick<ServerResponse, 'closed' | 'once'>, run: () => void): void {
  if (raw.closed) run();
  else raw.once('close', run);
}

/** Says when the work on a request is over, so that hanging up gives nobody room for more. */
export class WorkInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    // What was taken for it has been given back by then.
    if (http.getResponse<FastifyReply>().raw.closed) throw new Problem('malformed_request', 'the request has ended');
    const { promise, resolve } = Promise.withResolvers<void>();
    http.getRequest<FastifyRequest>().work = promise;
    return next.handle().pipe(finalize(resolve));
  }
}
