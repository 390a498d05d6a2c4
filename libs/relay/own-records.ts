/** Signatures that are remembered: more than there may be active directives, so that a restatement knows its own. */
const MAX_REMEMBERED = 20_000;

/** Tells the records that this process wrote from all others. Where too many were written, an old one seems foreign. */
export class OwnRecords {
  private readonly signatures = new Set<string>();

  add(signature: string): void {
    this.signatures.add(signature);
    if (this.signatures.size <= MAX_REMEMBERED) return;
    for (const oldest of this.signatures) {
      this.signatures.delete(oldest);
      return;
    }
  }

  has(value: string | null): boolean {
    const { signature } = membersOf(value);
    return typeof signature === 'string' && this.signatures.has(signature);
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
