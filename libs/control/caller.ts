import type { StreamCheck } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { families } from '../streams/catalogue.js';
import type { ControlView } from './control-view.js';

/** The principal of a request, by its token, or a part of the service itself: `system:<part>`. */
export interface Caller {
  readonly name: string;
  /** SHA-256 of the token; absent if the request had none. */
  readonly tokenDigest?: string;
}

/**
 * The precondition of every append for a caller: since it was authenticated, nobody removed it or rotated its token. As
 * part of the append it also stops requests that are in flight.
 */
export function callerPrecondition(view: ControlView, caller: Caller): Result<readonly StreamCheck[], Refusal> {
  if (caller.name.startsWith('system:')) return ok([]);
  const { state, revision } = view.principal(caller.name);
  if (state?.removed !== false || (caller.tokenDigest ?? state.tokenDigest) !== state.tokenDigest) {
    return err(refusal('unauthenticated', 'the caller was removed, or its token was replaced'));
  }
  return ok([{ stream: families.principal.stream(caller.name), expected: revision }]);
}
