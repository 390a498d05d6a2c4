import { createHmac } from 'node:crypto';

/** The name of a user in events: `p:` and 22 characters of base64url, which are 128 bits. */
export type Pseudonym = `p:${string}`;

const PATTERN = /^p:[A-Za-z0-9_-]{22}$/;
const BYTES = 16;

/** `p:` + base64url(HMAC-SHA256(key, id)), cut to 128 bits. `key` is the 32-byte key of this one user. */
export function pseudonymBy(key: Uint8Array, userId: string): Pseudonym {
  return `p:${createHmac('sha256', key).update(userId).digest().toString('base64url', 0, BYTES)}`;
}

/** Whether a text has the form of a pseudonym. A user id may have the same form. */
export const isPseudonym = (text: string): text is Pseudonym => PATTERN.test(text);
