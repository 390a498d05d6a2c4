import { randomBytes } from 'node:crypto';
import { digestOfBytes, type Digest } from '../../../libs/kernel/digest.js';

/** A new token of 256 random bits. It is given out once; the log holds only its digest. */
export function newToken(): { token: string; tokenDigest: Digest } {
  const token = `sallyport_${randomBytes(32).toString('base64url')}`;
  return { token, tokenDigest: digestOfBytes(token) };
}
