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
  /** By key, the signatures in the order of writing, from the last one that was read on. */
  private readonly written = new Map<string, string[]>();

  add(key: string, signature: string): void {
    const signatures = this.written.get(key) ?? [];
    signatures.push(signature);
    if (signatures.length > MAX_UNREAD) signatures.shift();
    // The key that was written last goes to the end.
    this.written.delete(key);
    this.written.set(key, signatures);
    if (this.written.size <= MAX_KEYS) return;
    for (const oldest of this.written.keys()) {
      this.written.delete(oldest);
      return;
    }
  }

  /** For the records of the topic in their order: whether one is ours, and is not an old one that was written again. */
  isNext(key: string, value: string | null): boolean {
    const signatures = this.written.get(key) ?? [];
    const { signature } = membersOf(value);
    const at = signatures.findIndex((each) => each === signature);
    if (at < 0) return false;
    signatures.splice(0, at);
    return true;
  }
}

/** The members of a record of the topic, empty if it has none: it is attacker-controlled. */
export function membersOf(value: string | null): { readonly signature?: unknown; readonly directive?: unknown } {
  try {
    const parsed: unknown = JSON.parse(value ?? '');
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
