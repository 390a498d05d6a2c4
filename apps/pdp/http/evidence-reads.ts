import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { concatMap, type Observable } from 'rxjs';
import type { Operation } from '../../../libs/contract/operation.js';
import { EvidenceReads } from '../../../libs/retention/evidence-reads.js';
import { operationOf } from '../edge/access.js';

/** Parameters that say where in a list a page is, and not what is asked for. */
const PLACES: ReadonlySet<string> = new Set(['after', 'cursor', 'limit', 'minPosition']);
/** Parameters that name a person. */
const PEOPLE: ReadonlySet<string> = new Set(['user', 'identity']);

/** Records who read evidence, before the answer leaves. Without the record there is no answer. */
@Injectable()
export class EvidenceReadsInterceptor implements NestInterceptor {
  constructor(@Inject(EvidenceReads) private readonly reads: EvidenceReads) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    return next.handle().pipe(
      concatMap(async (answer: unknown) => {
        const operation = operationOf(request);
        // A log that is public shows hashes to callers without a name.
        const { principal } = request;
        if (operation !== undefined && principal !== undefined)
          await this.reads.note(principal.name, requestOf(operation, request));
        return answer;
      }),
    );
  }
}

function requestOf({ id }: Operation, { params, query }: FastifyRequest) {
  const { traceId, ...others } = params as Record<string, string | undefined>;
  const filters = Object.entries({ ...others, ...(query as Record<string, unknown>) })
    .filter(([name]) => !PLACES.has(name))
    .map(([name, value]) => `${name}=${PEOPLE.has(name) ? '(withheld)' : String(value)}`)
    .sort();
  return { operation: id, traceId, query: filters.length === 0 ? undefined : filters.join('&') };
}
