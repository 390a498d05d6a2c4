import { HttpException } from '@nestjs/common';
import { PROBLEMS, type ProblemCode, type ProblemDocument } from '../../../libs/contract/problem.js';
import { EventTooLarge } from '../../../libs/event-log/batch.js';
import { LogOverloaded, LogUnavailable, OutcomeUnknown } from '../../../libs/event-log/port.js';
import { defined } from '../../../libs/kernel/defined.js';
import type { JsonPointer } from '../../../libs/kernel/pointer.js';
import type { Refusal } from '../../../libs/kernel/refusal.js';
import type { Result } from '../../../libs/kernel/result.js';
import { IndexUnavailable } from '../../../libs/audit/index/reading.js';
import { PoolClosed, PoolOverloaded } from '../../../libs/offload/job-pool.js';
import { KeyringUnavailable } from '../../../libs/payloads/keyring.js';
import { PayloadTooLarge } from '../../../libs/payloads/payload.js';

/** When a client may send the same request again, in seconds. */
const RETRY_AFTER_S = 1;

/** The bound that refused a request, as `sallyport_overloaded_total` names it. */
export type OverloadCause =
  | 'quota'
  | 'calls'
  | 'audits'
  | 'bodies'
  | 'responses'
  | 'content'
  | 'appends'
  | 'grpc_calls'
  | 'watches'
  | 'waits'
  | 'unread'
  | 'idle'
  | 'connections'
  | 'instances'
  | 'policies'
  | 'docs'
  | 'metrics';

/** An error that is answered with a problem document. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly errors?: readonly { readonly path: JsonPointer; readonly message: string }[],
    readonly needed?: readonly string[],
  ) {
    super(`${code}: ${detail}`);
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  /** When the same request may succeed, in seconds; undefined if it never does. */
  get retryAfterS(): number | undefined {
    return this.status === 429 || this.status === 503 ? RETRY_AFTER_S : undefined;
  }

  /** Headers of the answer: how to authenticate, or when to retry. */
  get headers(): Readonly<Record<string, string>> {
    if (this.status === 401) return { 'www-authenticate': 'Bearer' };
    return this.retryAfterS === undefined ? {} : { 'retry-after': String(this.retryAfterS) };
  }

  /** RFC 9457 `application/problem+json`. It reveals no stacks, SQL, files or secrets. */
  toJson(): ProblemDocument {
    return defined({
      type: `urn:sallyport:problem:${this.code}`,
      title: this.code.replaceAll('_', ' '),
      status: this.status,
      detail: this.detail,
      code: this.code,
      errors: this.errors,
      needed: this.needed,
    });
  }
}

/** A refusal because too much is under way, or because a quota is used up. Nothing was done for the request. */
export class Overloaded extends Problem {
  constructor(
    readonly limit: OverloadCause,
    detail: string,
  ) {
    super('overloaded', detail);
  }
}

/** The value of a result. Throws its refusal as a `Problem`. */
export function unwrap<Value>(result: Result<Value, Refusal>): Value {
  if (result.ok) return result.value;
  const { code, detail, errors, needed } = result.error;
  // Of the deciders, only that of instances refuses for lack of room.
  if (code === 'overloaded') throw new Overloaded('instances', detail);
  throw new Problem(code, detail, errors, needed);
}

/** The errors of the framework and the stores as problems. An unforeseen error becomes a 503: nothing was promised. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof LogOverloaded) return new Overloaded('appends', error.message);
  if (error instanceof PoolOverloaded) return new Overloaded('content', error.message);
  if (error instanceof OutcomeUnknown) {
    return new Problem('outcome_unknown', 'it is not known whether this was recorded: ask with the same request');
  }
  if (error instanceof LogUnavailable || error instanceof PoolClosed || error instanceof KeyringUnavailable) {
    return new Problem('log_unavailable', 'the event log cannot record or read this now');
  }
  if (error instanceof EventTooLarge || error instanceof PayloadTooLarge) {
    return new Problem('too_large', 'this is too large to be recorded in one event');
  }
  if (error instanceof IndexUnavailable)
    return new Problem('view_stale', 'the index of calls is being brought up to date');
  const { code, statusCode = error instanceof HttpException ? error.getStatus() : undefined } = error as {
    code?: unknown;
    statusCode?: unknown;
  };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' || statusCode === 415)
    return new Problem('unsupported_media_type', 'send application/json');
  if (statusCode === 413) return new Problem('too_large', 'the body is too large');
  if (statusCode === 404) return new Problem('not_found', 'no such path');
  if (typeof statusCode === 'number' && statusCode < 500)
    return new Problem('malformed_request', 'the request is malformed');
  return new Problem('log_unavailable', 'the request could not be completed');
}
