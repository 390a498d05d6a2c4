import type { FastifyRequest } from 'fastify';
import type { Authenticator, Credentials, Principal } from '../../../libs/authentication/authenticator.js';
import type { Operation } from '../../../libs/contract/operation.js';
import { credentialsOf } from './credentials.js';
import { Overloaded, Problem, unwrap } from './problem.js';
import type { Asked, Quotas } from './quotas.js';

export type { Principal };

/** The operation of the contract that a request is for; undefined if no route takes it. */
export function operationOf(request: FastifyRequest): Operation | undefined {
  return (request.routeOptions.config as { operation?: Operation }).operation;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; set before the body is read, and absent on public routes. */
    principal?: Principal;
    /** Size of the body in bytes, as read. */
    bodyBytes?: number;
  }
}

/**
 * Authenticates the caller before a byte of the body is read, and checks its roles and its quota. `unroutable` says why no
 * route takes a request. `isLogPublic`: operations that may be public need no token.
 */
export function authenticate(
  authenticator: Authenticator,
  quotas: Quotas,
  unroutable: (request: FastifyRequest) => Problem,
  isLogPublic = false,
) {
  return (request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void => {
    const { roles = [], mayBePublic = false } = operationOf(request) ?? {};
    // An unknown path has no authenticated caller, so its body is not read.
    if (request.is404) return done(unroutable(request));
    if (roles === 'public' || (mayBePublic && isLogPublic)) return done();
    try {
      const principal = admitted(authenticator, credentialsOf(request.raw), roles);
      // Before the charge, so that a refusal is counted for its host. A refused request goes no further.
      request.principal = principal;
      charge(quotas, principal, { bytes: lengthOf(request) ?? 0, purpose: purposeOf(request) });
    } catch (error) {
      return done(error as Error);
    }
    done();
  };
}

/** The principal of a request over any protocol, if it has one of the roles. Throws `Problem`. */
export function admitted(authenticator: Authenticator, credentials: Credentials, roles: Operation['roles']): Principal {
  const principal = unwrap(authenticator.authenticate(credentials));
  if (!mayCall(roles, principal)) {
    const needed = Array.isArray(roles) ? `: ${roles.join(' or ')}` : '';
    throw new Problem('forbidden', `the caller lacks the required role${needed}`);
  }
  return principal;
}

/**
 * Charges a request, or bytes that it did not announce, to the quota of a host. Throws `Problem` if the quota is used
 * up.
 */
export function charge(quotas: Quotas, principal: Principal, asked: Asked): void {
  if (!principal.roles.includes('host') || quotas.admit(principal.name, asked)) return;
  throw new Overloaded('quota', 'this host has used up its quota');
}

/** The announced length of the body in bytes; undefined if the body is chunked. */
export const lengthOf = (request: FastifyRequest): number | undefined =>
  request.headers['content-length'] === undefined ? undefined : Number(request.headers['content-length']);

/** Charges the bytes that were not announced, after the body has been read. */
export function chargeBody(request: FastifyRequest, quotas: Quotas, bytes: number): void {
  request.bodyBytes = bytes;
  const { principal } = request;
  if (lengthOf(request) === undefined && principal !== undefined)
    charge(quotas, principal, { bytes, requests: 0, purpose: purposeOf(request) });
}

const purposeOf = (request: FastifyRequest) => operationOf(request)?.quota ?? 'calls';

function mayCall(roles: Operation['roles'], principal: Principal): boolean {
  if (roles === 'any') return true;
  return roles !== 'public' && roles.some((role) => principal.roles.includes(role));
}

/** The caller of a route that is not public. */
export function callerOf(request: FastifyRequest): Principal {
  if (request.principal === undefined) throw new Problem('unauthenticated', 'the route needs a caller');
  return request.principal;
}
