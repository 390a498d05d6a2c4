import type { KeyObject } from 'node:crypto';

/** The things that are signed. A key of one purpose never signs for another. */
export type SigningPurpose = 'directive-feed' | 'log';

/** The things that a secret is mixed into. `create-ids`: the ids that follow from an `Idempotency-Key`. */
export type SecretPurpose = 'create-ids';

/**
 * The long-lived keys of this installation. All processes on one installation get the same keys. The keys that encrypt
 * content are not here: a `Keyring` makes one for each task and destroys it (`libs/payloads/keyring.ts`).
 * `test/contracts/key-store.ts` says for every adapter what these words mean.
 */
export interface KeyStore {
  /** The Ed25519 private key of a purpose. The first call makes it; it is durable before it is answered. */
  signingKey(purpose: SigningPurpose): Promise<KeyObject>;
  /** 32 random-looking bytes that outsiders cannot work out, the same on every call. Never log or show them. */
  secret(purpose: SecretPurpose): Promise<Uint8Array>;
}

export const SECRET_BYTES = 32;

/** A key cannot be read or made. The message is one line for an operator and holds no key. */
export class KeyStoreUnavailable extends Error {
  override readonly name = 'KeyStoreUnavailable';
}
