import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { keyedDigest } from '#libs/kernel/digest.js';
import { uuidV5 } from '#libs/kernel/ids.js';
import { callerOf } from './access.js';
import type { InstallationSecret } from '../tokens.js';
import { Problem } from './problem.js';

const NAMESPACE = '9a3c0d8e-2f57-5e0a-9d2b-6c1f7b0e4a55';

/** The `Idempotency-Key` of a create, as sent. */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,256}$/.test(key)) {
    throw new Problem('malformed_request', 'Idempotency-Key needs 1 to 256 visible ASCII characters');
  }
  return key;
}

/**
 * The id of what a create makes: the client's own, else one that follows from the caller's key, else a new one. `secret`
 * keeps others from working the id out and taking it first.
 */
export function createIdOf(
  request: FastifyRequest,
  secret: InstallationSecret,
  what: string,
  clientId: string | undefined,
): string {
  if (clientId !== undefined) return clientId;
  const key = idempotencyKeyOf(request);
  return key === undefined
    ? randomUUID()
    : uuidV5(NAMESPACE, keyedDigest(secret, `${callerOf(request).name}\n${what}\n${key}`));
}
