/** How long to wait between attempts: `firstMs` after the first failure, then twice as long each time, up to `maxMs`. */
export class Backoff {
  private waitMs: number;

  constructor(
    private readonly firstMs: number,
    private readonly maxMs: number,
  ) {
    this.waitMs = firstMs;
  }

  /** The wait before the next attempt, in milliseconds. */
  nextMs(): number {
    const { waitMs } = this;
    this.waitMs = Math.min(2 * waitMs, this.maxMs);
    return waitMs;
  }

  /** An attempt has succeeded. */
  reset(): void {
    this.waitMs = this.firstMs;
  }
}
