import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { SECRET_BYTES, type KeyStore, type SecretPurpose, type SigningPurpose } from './key-store.js';

/** Keys that live as long as the process. For tests. */
export function memoryKeyStore(): KeyStore {
  const signing = new Map<SigningPurpose, KeyObject>();
  const secrets = new Map<SecretPurpose, Uint8Array>();
  return {
    async signingKey(purpose) {
      const key = signing.get(purpose) ?? generateKeyPairSync('ed25519').privateKey;
      signing.set(purpose, key);
      return key;
    },
    async secret(purpose) {
      const secret = secrets.get(purpose) ?? new Uint8Array(randomBytes(SECRET_BYTES));
      secrets.set(purpose, secret);
      return secret;
    },
  };
}
