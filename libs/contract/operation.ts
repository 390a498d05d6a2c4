import type { z } from 'zod';
import type { Role } from '../vocabulary/words.js';
import type { ProblemCode } from './problem.js';
import type { Given, Shape } from './shape.js';
import { Freshness, pagingOf } from './shapes.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Which setting limits the size of a request body. */
export type BodyLimit = 'bodyBytes' | 'definitionBytes' | 'responseBytes';

/** One operation of the service, described once for every protocol, for the documentation and for clients. */
export interface Operation {
  /** Unique; the OpenAPI `operationId`. */
  readonly id: string;
  /** The noun that it belongs to; the OpenAPI tag. */
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly method: Method;
  /** A path template: `{name}` stands for the parameter of this name. */
  readonly path: `/${string}`;
  /** The gRPC method that does the same, `Service/Method`; absent if only HTTP has it. Over gRPC only hosts may call. */
  readonly rpc?: string;
  /** The streaming gRPC method that does the same. */
  readonly rpcStream?: string;
  /** The caller needs one of these roles; `any` means every principal; `public` needs no token. */
  readonly roles: readonly Role[] | 'any' | 'public';
  /** It needs no token if `SALLYPORT_LOG_PUBLIC` is on. */
  readonly mayBePublic?: true;
  /** The bound on concurrent work that it counts against. Above the bound the answer is `overloaded`. */
  readonly admission?: 'calls' | 'audits';
  /** The quota that a request of a host is charged to; `calls` if absent. */
  readonly quota?: 'calls' | 'directives';
  /** `bodyBytes` if absent. */
  readonly bodyLimit?: BodyLimit;
  /** It makes something whose id the caller does not have to give: the caller may send `Idempotency-Key` instead. */
  readonly idempotencyKey?: true;
  /** It answers a page, and takes `limit` and `cursor`. */
  readonly paging?: { readonly defaultLimit: number; readonly maxLimit: number };
  /** The parameters in the path. */
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The body is handed over as bytes, and is read elsewhere by the schema of `body`. */
  readonly rawBody?: true;
  /** By HTTP status. `z.void()` is an answer without a body. If it is not JSON, `media` names the type. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** The media type of a success; `application/json` if absent. Of an event stream, the schema describes each event's data. */
  readonly media?: 'text/event-stream' | 'text/plain' | 'text/html' | 'application/octet-stream';
  /** Further media types of a success, with which the query parameter `format` answers the list as text. */
  readonly formats?: readonly ('text/csv' | 'application/jsonl')[];
  /** Of an operation that makes something: the path that answers it, filled from the request and the answer. */
  readonly location?: `/${string}`;
  /** Response headers that it always sets. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Problems of this operation, in addition to those that `problemsOf` derives. */
  readonly problems?: readonly ProblemCode[];
}

/** Keeps the exact type of an operation: its schemas type the handlers and the clients. */
export const operation = <const Spec extends Operation>(spec: Spec): Spec => spec;

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** The types that a handler gets, after the schemas. */
export type ParamsOf<Op extends Operation> = Output<Op['params']>;
export type QueryOf<Op extends Operation> = Output<Op['query']>;
export type BodyOf<Op extends Operation> = Output<Op['body']>;

/** Each part of a request that the operation takes, as a client gives it: before the schemas. */
export type AskedOf<Op extends Operation> = {
  readonly [Part in 'params' | 'query' | 'body' as Op[Part] extends z.ZodType ? Part : never]: Given<
    Op[Part] & z.ZodType
  >;
};

/** The path of an operation for the given parameters, percent-encoded. Throws a `TypeError` if one is missing. */
export function pathOf({ path }: Pick<Operation, 'path'>, params: Readonly<Record<string, unknown>> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (typeof value !== 'string') throw new TypeError(`${path} needs the parameter ${name}`);
    return encodeURIComponent(value);
  });
}

/** Any answer of an operation that is no problem. */
export type AnswerOf<Op extends Operation> = Shape<Op['answers'][keyof Op['answers']] & z.ZodType>;

/** The schemas of all query parameters of an operation. Any other parameter is refused. */
export function queryOf({ method, paging, query, roles }: Operation): z.ZodObject[] {
  const isQuery = method === 'GET' && roles !== 'public';
  const schemas = [query, paging && pagingOf(paging), isQuery ? Freshness : undefined];
  return schemas.filter((schema) => schema !== undefined);
}

/** The HTTP status of a success. */
export const statusOf = ({ answers }: Operation): number => Math.min(...Object.keys(answers).map(Number));

const BODY: readonly ProblemCode[] = ['unsupported_media_type', 'too_large'];
/** Anything unforeseen is `log_unavailable`: nothing was promised. */
const ALWAYS: readonly ProblemCode[] = ['malformed_request', 'unsupported_media_type', 'log_unavailable'];

/** Every code that an operation can answer with: its own, and those that follow from what it takes and who may call it. */
export function problemsOf(op: Operation): readonly ProblemCode[] {
  const codes = new Set<ProblemCode>([...ALWAYS, ...(op.problems ?? [])]);
  const add = (...more: readonly ProblemCode[]) => more.forEach((code) => codes.add(code));
  if (op.roles !== 'public') add('unauthenticated', 'overloaded');
  if (Array.isArray(op.roles)) add('forbidden');
  if (op.params !== undefined && Object.keys(op.params.shape).length > 0) add('not_found');
  if (op.method === 'GET' && op.roles !== 'public') add('view_stale');
  if (op.body !== undefined) add(...BODY);
  if (op.method !== 'GET') add('outcome_unknown');
  return [...codes];
}
