import type { Refusal } from '../kernel/refusal.js';
import type { Result } from '../kernel/result.js';
import type { HostRights } from '../principal/decider.js';
import type { Identity } from '../principal/identity.js';
import type { Role } from '../vocabulary/words.js';

/** What a request presents about its sender. All of it is attacker-controlled. */
export interface Credentials {
  /** The `authorization` header or metadata entry, as sent. */
  readonly authorization?: string | undefined;
}

/** A caller that has proved who it is, as it stood at that moment. */
export interface Principal {
  readonly name: string;
  readonly roles: readonly Role[];
  /** The ceilings of a host. */
  readonly host?: HostRights | undefined;
  /** Every append of this caller has as its precondition that it still has this identity (`libs/control/caller.ts`). */
  readonly identity: Identity;
}

/**
 * Finds the principal behind a request, for every way in alike. It is synchronous, so that nothing waits before a quota
 * is charged: an adapter has fetched the keys that it checks signatures with before a request comes.
 * `test/contracts/authenticator.ts` says for every adapter what these words mean.
 */
export interface Authenticator {
  /** The principal of these credentials. All refusals are `unauthenticated`, read the same and quote nothing. */
  authenticate(credentials: Credentials): Result<Principal, Refusal>;
  /** Whether the proof still holds that a caller was let in with. */
  isCurrent(principal: Pick<Principal, 'name' | 'identity'>): boolean;
}
