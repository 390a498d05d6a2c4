import crypto, { createHmac, type KeyObject } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';

/**
 * Through the default export: an older Node, on which the host SDK has to report itself, cannot link a name that it
 * lacks.
 */
const { hash } = crypto;

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}`;

export const DIGEST_PATTERN = /^sha256:[0-9a-f]{64}$/;

/** Digest of bytes, or of a text's UTF-8. */
export function digestOfBytes(bytes: string | Uint8Array): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

/** Digest of the RFC 8785 form of a value. */
export function digestOf(value: unknown): Digest {
  return digestOfBytes(canonicalJson(value));
}

/** 32 bytes; a KeyObject of them is several times as fast if a key is used often. */
export type SecretKey = Uint8Array | KeyObject;

/** A digest that only a holder of `key` can compute: it lets bodies be compared without revealing them. */
export function keyedDigest(key: SecretKey, text: string): Digest {
  return `sha256:${createHmac('sha256', key).update(text).digest('hex')}`;
}

/** `sha256(salt || JCS(value))`: binds an event to content that stays outside of it. `salt` is 32 random bytes. */
export function commitmentTo(salt: Uint8Array, canonicalText: string): Digest {
  return digestOfBytes(prefixed(salt, canonicalText));
}

/**
 * A prefix and the UTF-8 of a text as one buffer: hashing it once costs half of a hash object that is updated twice.
 */
export function prefixed(prefix: Uint8Array, text: string): Buffer {
  const bytes = Buffer.allocUnsafe(prefix.byteLength + Buffer.byteLength(text));
  bytes.set(prefix);
  bytes.write(text, prefix.byteLength);
  return bytes;
}
