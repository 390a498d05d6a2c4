import type { StreamCheck } from '../event-log/port.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { ControlView } from './control-view.js';

/** Who acts: a principal by the token that it showed, or a part of the service itself, `system:<part>`. */
export interface Caller {
  readonly name: string;
  /** SHA-256 of the token; absent where none was shown. */
  readonly tokenDigest?: string;
}

/**
 * What every act of a caller rests on: it has not been removed, nor its token rotated, since it was let in. The check
 * goes into the append, so that both work at once, in flight too.
 */
export function standingOf(view: ControlView, caller: Caller): Result<readonly StreamCheck[], Refusal> {
  if (caller.name.startsWith('system:')) return ok([]);
  const { state, revision } = view.principal(caller.name);
  if (state?.removed !== false || (caller.tokenDigest ?? state.tokenDigest) !== state.tokenDigest) {
    return err(refusal('unauthenticated', 'the caller or its token is not valid any more'));
  }
  return ok([{ stream: `principal-${caller.name}`, expected: revision }]);
}
