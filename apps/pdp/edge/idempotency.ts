import { randomUUID } from 'node:crypto';
import { keyedDigest } from '../../../libs/kernel/digest.js';
import { uuidV5 } from '../../../libs/kernel/ids.js';
import type { Principal } from './access.js';
import type { InstallationSecret } from '../tokens.js';
import { Problem } from './problem.js';

const NAMESPACE = '9a3c0d8e-2f57-5e0a-9d2b-6c1f7b0e4a55';

/** An `Idempotency-Key` as sent, over any protocol. Throws `Problem` if it is malformed. */
export function checkedKey(key: unknown): string | undefined {
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,256}$/.test(key)) {
    throw new Problem('malformed_request', 'Idempotency-Key needs 1 to 256 visible ASCII characters');
  }
  return key;
}

/** The id of a created item: the client's own, or one that is derived from its `Idempotency-Key`. */
export function createIdOf(
  { caller, idempotencyKey }: { readonly caller: Principal; readonly idempotencyKey: unknown },
  secret: InstallationSecret,
  what: string,
  clientId: string | undefined,
): string {
  return clientId ?? idOfKey(secret, caller.name, what, checkedKey(idempotencyKey));
}

/**
 * The id of a created item without an id of the client: derived from the caller's key, or else random. `secret` keeps
 * others from computing the id and taking it first.
 */
function idOfKey(secret: InstallationSecret, caller: string, what: string, key: string | undefined): string {
  return key === undefined ? randomUUID() : uuidV5(NAMESPACE, keyedDigest(secret, `${caller}\n${what}\n${key}`));
}
