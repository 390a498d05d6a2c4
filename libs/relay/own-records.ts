/** Signatures that are remembered: more than there may be active directives, so that a restatement knows its own. */
const MAX_REMEMBERED = 20_000;

/** Tells the records that this process wrote from all others. Where too many were written, an old one seems foreign. */
export class OwnRecords {
  /** By key and signature, in what order they were written. */
  private readonly order = new Map<string, number>();
  private written = 0;
  /** The last one of each key that was read. */
  private readonly read = new Map<string, number>();

  add(key: string, signature: string): void {
    this.order.set(placeOf(key, signature), (this.written += 1));
    if (this.order.size <= MAX_REMEMBERED) return;
    for (const oldest of this.order.keys()) {
      this.order.delete(oldest);
      return;
    }
  }

  /** Of the records of the topic in their order: whether it is ours, and not one of old that was written once more. */
  isNext(key: string, value: string | null): boolean {
    const { signature } = membersOf(value);
    const order = typeof signature === 'string' ? this.order.get(placeOf(key, signature)) : undefined;
    if (order === undefined || order < (this.read.get(key) ?? 0)) return false;
    this.read.set(key, order);
    return true;
  }
}

const placeOf = (key: string, signature: string): string => `${key} ${signature}`;

/** What a record of the topic says, as far as it says anything: it is attacker-controlled. */
export function membersOf(value: string | null): { readonly signature?: unknown; readonly directive?: unknown } {
  try {
    const parsed: unknown = JSON.parse(value ?? '');
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
