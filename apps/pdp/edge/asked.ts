import type { z } from 'zod';
import type { BodyOf, Operation, ParamsOf, QueryOf } from '../../../libs/contract/operation.js';
import { pagingOf } from '../../../libs/contract/shapes.js';
import type { ResponseText } from '../../../libs/decision-point/content-jobs.js';
import type { Principal } from './access.js';
import { parseInput } from './body.js';
import { Problem } from './problem.js';

/** The page of a list that a request asks for. */
export interface PageAsked {
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** The headers of a request that handlers use. They are the same over HTTP and gRPC. */
export interface Asking {
  /** The trace of the caller (W3C Trace Context), as sent. */
  readonly traceparent: string | undefined;
  /** The `Idempotency-Key`, as sent. */
  readonly idempotencyKey: unknown;
  /** Size of the body or message in bytes, as read. */
  readonly bytes: number;
}

/** A request for an operation, read by the schemas of the contract. It is the same over HTTP and gRPC. */
export interface Asked<Op extends Operation> extends Asking {
  readonly caller: Op['roles'] extends 'public' ? undefined : Principal;
  readonly params: ParamsOf<Op>;
  readonly query: QueryOf<Op>;
  readonly body: Op extends { readonly rawBody: true } ? ResponseText : BodyOf<Op>;
  /** The body before its schema reads it. */
  readonly raw: unknown;
  /** The page, for an operation that answers a list. */
  readonly page: PageAsked;
}

/** An operation with the function that serves it over every protocol. */
export interface Handled {
  readonly operation: Operation;
  readonly handle: (asked: Asked<Operation>, ...more: unknown[]) => unknown;
}

/** A request before the schemas read it. */
export interface Received {
  readonly caller: Principal | undefined;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** Reads a request by the schemas of its operation. Throws `Problem` (`malformed_request`) with the fields that are wrong. */
export function askedFor<Op extends Operation>(op: Op, { caller, ...received }: Received, asking: Asking): Asked<Op> {
  // The hooks have refused such a request already. Without them it would have no caller to decide for.
  if (op.roles !== 'public' && op.mayBePublic !== true && caller === undefined)
    throw new Problem('unauthenticated', 'a token is needed');
  const { params, query, body } = received;
  const asked = {
    ...asking,
    caller,
    params: read(op.params, params),
    query: read(op.query, query),
    body: op.rawBody === true ? body : read(op.body, body),
    raw: body,
    page: pageIn(op, query),
  };
  // The schemas that these types come from have just read the members.
  return asked as Asked<Op>;
}

const read = (schema: z.ZodType | undefined, value: unknown): unknown =>
  schema === undefined ? undefined : parseInput(schema, value);

/** `limit` and `cursor` of a list. */
function pageIn({ paging }: Operation, query: unknown): PageAsked {
  if (paging === undefined) return { limit: 0, cursor: undefined };
  const { limit = paging.defaultLimit, cursor } = parseInput(pagingOf(paging), query);
  return { limit, cursor };
}
