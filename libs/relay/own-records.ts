import { hash } from 'node:crypto';
import { MAX_ACTIVE } from '../feed/beat.js';

/**
 * Above the number of keys in a restatement, so that it recognises all of its own. Beyond it, the keys that were
 * written longest ago are dropped.
 */
const MAX_KEYS = MAX_ACTIVE + 20_000;
/** For one key: a beat each second, for longer than the reader of the topic may lag before it restarts. */
const MAX_UNREAD = 100;

/** Tells the records of this process from all others. If too many were written, an old one seems foreign. */
export class OwnRecords {
  /** By key, the digests of the values in the order of writing, from the last one that was read on. */
  private readonly written = new Map<string, string[]>();

  add(key: string, value: string): void {
    const digests = this.written.get(key) ?? [];
    digests.push(digestOf(value));
    if (digests.length > MAX_UNREAD) digests.shift();
    // The key that was written last goes to the end.
    this.written.delete(key);
    this.written.set(key, digests);
    if (this.written.size <= MAX_KEYS) return;
    for (const oldest of this.written.keys()) {
      this.written.delete(oldest);
      return;
    }
  }

  /** For the records of the topic in their order: whether one is ours, and is not an old one that was written again. */
  isNext(key: string, value: string | null): boolean {
    const digests = this.written.get(key);
    if (digests === undefined || value === null) return false;
    const at = digests.indexOf(digestOf(value));
    if (at < 0) return false;
    digests.splice(0, at);
    return true;
  }
}

const digestOf = (value: string): string => hash('sha256', value, 'base64url');
