import type { StreamCheck } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { isIdentityOf, type Identity } from '../principal/identity.js';
import { families } from '../streams/catalogue.js';
import type { ControlView } from './control-view.js';

/** The sender of a command: a principal, or a part of the service itself, `system:<part>`. */
export interface Caller {
  readonly name: string;
  /** The proof that it was let in with; absent for parts of the service. */
  readonly identity?: Identity;
}

/**
 * The precondition of every append by a caller: since it was let in, it has not been removed and its token has not been
 * rotated. The append carries the check, so both take effect at once, also for requests in flight.
 */
export function callerPrecondition(view: ControlView, caller: Caller): Result<readonly StreamCheck[], Refusal> {
  if (caller.name.startsWith('system:')) return ok([]);
  const { state, revision } = view.principal(caller.name);
  const isCurrent = caller.identity === undefined ? state?.removed === false : isIdentityOf(state, caller.identity);
  if (!isCurrent) {
    return err(refusal('unauthenticated', 'the caller was removed, or its token was replaced'));
  }
  return ok([{ stream: families.principal.stream(caller.name), expected: revision }]);
}
