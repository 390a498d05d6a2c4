import { z } from 'zod';
import { named } from './components.js';
import type { Shape } from './shape.js';

/** An HTTP status, the name of the gRPC status (google.rpc.Code), and what a caller reads about the code. */
interface ProblemKind {
  readonly status: number;
  readonly grpc: string;
  readonly description: string;
}

/**
 * The closed table of problem codes. A code is the same over HTTP (`code` of the RFC 9457 document) and gRPC (`reason` of
 * the ErrorInfo in the status details).
 */
export const PROBLEMS = {
  malformed_request: {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    description: 'The request does not have the expected shape; `errors` names the wrong fields.',
  },
  unauthenticated: {
    status: 401,
    grpc: 'UNAUTHENTICATED',
    description: 'The request carries no bearer token that the service knows.',
  },
  forbidden: {
    status: 403,
    grpc: 'PERMISSION_DENIED',
    description: 'The caller lacks the required role, or is not the human that an approval needs.',
  },
  self_review: {
    status: 403,
    grpc: 'PERMISSION_DENIED',
    description: 'A second person is required: the caller proposed or suspended this itself.',
  },
  beyond_ceiling: {
    status: 403,
    grpc: 'PERMISSION_DENIED',
    description: 'The task names an agent, user role or capability that this host may not use.',
  },
  not_found: {
    status: 404,
    grpc: 'NOT_FOUND',
    description: 'Nothing is known under this id, or it belongs to another host.',
  },
  method_not_allowed: {
    status: 405,
    grpc: 'UNIMPLEMENTED',
    description: 'The path does not have this method; the header `Allow` names those that it has.',
  },
  revision_conflict: {
    status: 409,
    grpc: 'ABORTED',
    description: 'Something changed since the revision that the request expects.',
  },
  already_exists: {
    status: 409,
    grpc: 'ALREADY_EXISTS',
    description: 'The id is taken, or the same id or Idempotency-Key came with another body.',
  },
  call_conflict: {
    status: 409,
    grpc: 'ALREADY_EXISTS',
    description: 'The same call id came with another body.',
  },
  call_finished: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    description: 'The call has its response; it is never allowed again.',
  },
  invalid_transition: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    description: 'The present state does not permit this step.',
  },
  exception_required: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    description: 'A reviewer must accept weaknesses of the version by name; `needed` lists them.',
  },
  ack_refused: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    description: 'The acknowledged epoch or state root is not one that the service has published.',
  },
  too_large: {
    status: 413,
    grpc: 'INVALID_ARGUMENT',
    description: 'The request exceeds a limit of the service; nothing was stored.',
  },
  unsupported_media_type: {
    status: 415,
    grpc: 'INVALID_ARGUMENT',
    description: 'The body is not plain `application/json`, or it has a content-encoding.',
  },
  overloaded: {
    status: 429,
    grpc: 'RESOURCE_EXHAUSTED',
    description: 'The service is overloaded, or the quota of this host is used up. Nothing was done; retry later.',
  },
  evidence_damaged: {
    status: 500,
    grpc: 'DATA_LOSS',
    description: 'The record that the request is about is damaged; `detail` names its position.',
  },
  log_unavailable: {
    status: 503,
    grpc: 'UNAVAILABLE',
    description: 'The event log cannot record or read now. Nothing was written.',
  },
  outcome_unknown: {
    status: 503,
    grpc: 'UNAVAILABLE',
    description: 'It is not known whether the command was recorded. Send the same request again to find out.',
  },
  view_stale: {
    status: 503,
    grpc: 'UNAVAILABLE',
    description: 'The service has not seen the requested position yet. Retry.',
  },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

const FieldError = z.object({ path: z.string().describe('A JSON Pointer (RFC 6901).'), message: z.string() });

/** The body of every answer that is not a success: RFC 9457, `application/problem+json`. */
export const ProblemDocument = named(
  'Problem',
  z.object({
    type: z.string().startsWith('urn:sallyport:problem:'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(PROBLEM_CODES),
    errors: z.array(FieldError).optional(),
    /** With `exception_required`: the exceptions that the review must name. */
    needed: z.array(z.string()).optional(),
  }),
  { description: 'Why there is no answer (RFC 9457).' },
);
export type ProblemDocument = Shape<typeof ProblemDocument>;
