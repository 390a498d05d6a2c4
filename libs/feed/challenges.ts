import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { FeedKey } from './beat.js';

const PERIOD_MS = 1_000;
const NONCE_DIGITS = 32;
/** Nonces that are kept, so that each is computed about once. */
const MAX_KEPT = 512;

/**
 * The nonces of beats: 128 bits in hex, fresh for each epoch and each second. They are computed from the feed's key
 * (HMAC, RFC 2104). So every process with that key knows them, also after a restart, and nobody else can foretell them.
 */
export class Challenges {
  private readonly secret: KeyObject;
  private readonly kept = new LRUCache<string, string>({ max: MAX_KEPT });

  constructor(
    { privateKey }: Pick<FeedKey, 'privateKey'>,
    /** How long a nonce counts, in milliseconds. */
    private readonly lifeMs: number,
  ) {
    const { d = '' } = privateKey.export({ format: 'jwk' });
    const secret = hkdfSync('sha256', Buffer.from(d, 'base64url'), '', 'sallyport acknowledgement challenge', 32);
    this.secret = createSecretKey(Buffer.from(secret));
  }

  /** The nonce of a beat of this epoch that is issued at this time, in milliseconds since the Unix epoch. */
  nonce(epoch: number, issuedMs: number): string {
    return this.inPeriod(epoch, Math.floor(issuedMs / PERIOD_MS));
  }

  /** Whether a beat of this epoch had this nonce a short time ago. */
  isCurrent(nonce: string, epoch: number, nowMs: number): boolean {
    // Beats may be dated a little ahead of the clock.
    const last = Math.floor(nowMs / PERIOD_MS) + 1;
    const first = Math.floor((nowMs - this.lifeMs) / PERIOD_MS);
    for (let period = last; period >= first; period -= 1) if (this.inPeriod(epoch, period) === nonce) return true;
    return false;
  }

  private inPeriod(epoch: number, period: number): string {
    const about = `${epoch}:${period}`;
    const known = this.kept.get(about);
    if (known !== undefined) return known;
    const nonce = createHmac('sha256', this.secret).update(about).digest('hex').slice(0, NONCE_DIGITS);
    this.kept.set(about, nonce);
    return nonce;
  }
}
