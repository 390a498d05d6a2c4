import crypto from 'node:crypto';
import { prefixed } from '../kernel/digest.js';

const { hash } = crypto;

/** 32 bytes: a SHA-256 digest. Never changed after it was made. */
export type Hash = Uint8Array;

export const HASH_BYTES = 32;

const LEAF = Buffer.of(0x00);
const NODE = 0x01;

export const sha256 = (bytes: string | Uint8Array): Buffer => hash('sha256', bytes, 'buffer');

/** The hash of a leaf of the log: `SHA-256(0x00 || data)` (RFC 9162, 2.1.1). A text counts as its UTF-8. */
export function leafHash(data: string | Uint8Array): Buffer {
  return sha256(typeof data === 'string' ? prefixed(LEAF, data) : Buffer.concat([LEAF, data]));
}

const pair = Buffer.alloc(1 + 2 * HASH_BYTES);

/** `SHA-256(prefix || left || right)`. The buffer is shared: nothing can run between its writes and the hash. */
export function pairHash(prefix: number, left: Hash, right: Hash): Buffer {
  pair[0] = prefix;
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return sha256(pair);
}

/** The hash of an inner node of the log: `SHA-256(0x01 || left || right)` (RFC 9162, 2.1.1). */
export const nodeHash = (left: Hash, right: Hash): Buffer => pairHash(NODE, left, right);

/** The root of a tree without leaves (RFC 9162, 2.1.1). */
export const EMPTY_ROOT: Hash = sha256('');

export const sameHash = (one: Hash, other: Hash): boolean => Buffer.compare(one, other) === 0;

/** Standard base64 with padding, the form of hashes in every text of this room. */
export const hashText = (hashed: Hash): string => Buffer.from(hashed).toString('base64');

/** Reads `hashText`. Undefined if the text has another form, another length, or bits behind the last byte. */
export function parseHash(text: string): Hash | undefined {
  const bytes = parseBase64(text);
  return bytes?.byteLength === HASH_BYTES ? bytes : undefined;
}

/** Reads standard base64 with padding. Undefined if writing the bytes again would not give the same text. */
export function parseBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
