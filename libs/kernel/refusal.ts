import { defined } from './defined.js';
import type { JsonPointer } from './pointer.js';

/** Why a command was not carried out; the codes are those of the wire's problem documents. */
export interface Refusal {
  readonly code:
    | 'malformed_request'
    | 'unauthenticated'
    | 'forbidden'
    | 'self_review'
    | 'beyond_ceiling'
    | 'not_found'
    | 'revision_conflict'
    | 'already_exists'
    | 'call_conflict'
    | 'call_finished'
    | 'invalid_transition'
    | 'exception_required'
    | 'ack_refused'
    | 'overloaded'
    | 'too_large'
    | 'evidence_damaged';
  readonly detail: string;
  readonly errors?: readonly { readonly path: JsonPointer; readonly message: string }[];
  /** The exceptions that a reviewer has to name, with `exception_required`. */
  readonly needed?: readonly string[];
}

export const refusal = (code: Refusal['code'], detail: string, errors?: Refusal['errors']): Refusal =>
  defined({ code, detail, errors });

/** A version needs exceptions that its review does not name. Nothing was recorded. */
export const exceptionRequired = (needed: readonly string[], errors?: Refusal['errors']): Refusal => ({
  ...refusal('exception_required', 'the version needs exceptions by name', errors),
  needed,
});
