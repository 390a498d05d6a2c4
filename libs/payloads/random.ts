import { randomBytes } from 'node:crypto';

const POOL_BYTES = 8192;
let pool = randomBytes(POOL_BYTES);
let used = 0;

/**
 * Fresh random bytes. They come from a pool, because asking the system for many at once costs a tenth. No byte is
 * handed out twice.
 */
export function freshRandom(bytes: number): Buffer {
  if (used + bytes > POOL_BYTES) {
    // A new pool, so that bytes from the old one stay as they are.
    pool = randomBytes(POOL_BYTES);
    used = 0;
  }
  used += bytes;
  return pool.subarray(used - bytes, used);
}
