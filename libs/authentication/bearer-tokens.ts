import { digestOfBytes } from '../kernel/digest.js';
import { refusal } from '../kernel/refusal.js';
import { err, ok } from '../kernel/result.js';
import type { PrincipalState } from '../principal/decider.js';
import { isIdentityOf } from '../principal/identity.js';
import type { Authenticator } from './authenticator.js';

const BEARER = /^Bearer ([A-Za-z0-9_-]{1,200})$/i;

/** The principals as this process knows them. */
export interface Directory {
  /** The principal that a token belongs to now, by the SHA-256 of the token. */
  principalByToken(tokenDigest: string): PrincipalState;
  principal(name: string): { readonly state: PrincipalState };
}

const REFUSED = err(refusal('unauthenticated', 'a valid bearer token is required'));

/** Opaque bearer tokens (RFC 6750). Only the digest of a token is looked up or kept. */
export function bearerTokens(directory: Directory): Authenticator {
  return {
    authenticate({ authorization = '' }) {
      const token = BEARER.exec(authorization)?.[1];
      const digest = token === undefined ? undefined : digestOfBytes(token);
      const state = digest === undefined ? undefined : directory.principalByToken(digest);
      if (digest === undefined || state === undefined) return REFUSED;
      const { name, roles, host } = state;
      return ok({ name, roles, host, identity: { type: 'token', digest } });
    },
    isCurrent: ({ name, identity }) => isIdentityOf(directory.principal(name).state, identity),
  };
}
