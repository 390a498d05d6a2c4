import type { PrincipalState } from './decider.js';

/**
 * The proof by which a caller was let in as a principal, without its secret. Each adapter of `Authenticator` has a kind
 * of its own here.
 */
export type Identity = { readonly type: 'token'; readonly digest: string };

/** Whether a principal still has this identity: it is not removed, and its token is not rotated. */
export function isIdentityOf(state: PrincipalState, identity: Identity): boolean {
  return state?.removed === false && state.tokenDigest === identity.digest;
}
