import { MAX_ACTIVE } from '../feed/beat.js';

/** More than a restatement writes, so that it knows all of its own. Beyond that the longest unwritten ones go. */
const MAX_KEYS = MAX_ACTIVE + 20_000;
/** Of one key: a beat each second, for longer than the reader of the topic may lag before it begins anew. */
const MAX_UNREAD = 100;

/** Tells the records that this process wrote from all others. Where too many were written, an old one seems foreign. */
export class OwnRecords {
  /** By key, the signatures from the last one on that was read, in the order in which they were written. */
  private readonly written = new Map<string, string[]>();

  add(key: string, signature: string): void {
    const signatures = this.written.get(key) ?? [];
    signatures.push(signature);
    if (signatures.length > MAX_UNREAD) signatures.shift();
    // The key written last stands last.
    this.written.delete(key);
    this.written.set(key, signatures);
    if (this.written.size <= MAX_KEYS) return;
    for (const oldest of this.written.keys()) {
      this.written.delete(oldest);
      return;
    }
  }

  /** Of the records of the topic in their order: whether it is ours, and not one of old that was written once more. */
  isNext(key: string, value: string | null): boolean {
    const signatures = this.written.get(key) ?? [];
    const { signature } = membersOf(value);
    const at = signatures.findIndex((each) => each === signature);
    if (at < 0) return false;
    signatures.splice(0, at);
    return true;
  }
}

/** What a record of the topic says, as far as it says anything: it is attacker-controlled. */
export function membersOf(value: string | null): { readonly signature?: unknown; readonly directive?: unknown } {
  try {
    const parsed: unknown = JSON.parse(value ?? '');
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
