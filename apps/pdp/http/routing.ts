import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { tap, type Observable } from 'rxjs';
import { pathOf, queryOf, type Operation } from '../../../libs/contract/operation.js';
import { OPERATIONS } from '../../../libs/contract/operations.js';
import { pointerTo } from '../../../libs/kernel/pointer.js';
import { operationOf } from '../edge/access.js';
import { Problem } from '../edge/problem.js';

/** Rules of HTTP alone, for every route: known methods, known query parameters, and the place of a made thing. */

/** The path exists, and the method does not. `Allow` names the others (RFC 9110, 15.5.6). */
class MethodNotAllowed extends Problem {
  constructor(private readonly allow: string) {
    super('method_not_allowed', `this path has ${allow}`);
  }

  override get headers(): Readonly<Record<string, string>> {
    return { allow: this.allow };
  }
}

const PATHS = [...Map.groupBy(OPERATIONS, ({ path }) => path)].map(([path, operations]) => {
  const methods = operations.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return { pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`), methods };
});

/**
 * Why no route takes a request. The caller is not known yet: `/openapi.json` shows the same to anyone, and nothing is looked
 * up under the path.
 */
export function unroutable({ method, url }: Pick<FastifyRequest, 'method' | 'url'>): Problem {
  const [path = ''] = url.split('?');
  const methods = PATHS.filter(({ pattern }) => pattern.test(path)).flatMap((each) => each.methods);
  if (methods.length === 0 || methods.includes(method)) return new Problem('not_found', 'no such path');
  return new MethodNotAllowed([...new Set(methods)].sort().join(', '));
}

/** Refuses a query parameter that the operation does not have: a misspelt condition would otherwise match everything. */
export function refuseUnknownQuery(request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void {
  const operation = operationOf(request);
  if (operation === undefined) return done();
  const known = queryOf(operation).flatMap((schema) => Object.keys(schema.shape));
  const unknown = Object.keys(request.query as object).filter((name) => !known.includes(name));
  if (unknown.length === 0) return done();
  const message = known.length === 0 ? 'is unknown: there are no parameters' : `is unknown; known: ${known.join(', ')}`;
  const errors = unknown.slice(0, 20).map((name) => ({ path: pointerTo(name.slice(0, 100).toWellFormed()), message }));
  done(new Problem('malformed_request', 'the query has unknown parameters', errors));
}

/** Sets `Location` on the answer of an operation that makes something (RFC 9110, 10.2.2). */
export class LocationInterceptor implements NestInterceptor {
  constructor(private readonly location: NonNullable<Operation['location']>) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const { params, body } = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    return next.handle().pipe(
      tap((answer: unknown) => {
        const texts = Object.fromEntries(
          [body, answer, params].flatMap((part) =>
            Object.entries(part ?? {}).filter(([, value]) => typeof value === 'string'),
          ),
        ) as Record<string, string>;
        void reply.header('location', pathOf({ path: this.location }, texts));
      }),
    );
  }
}
