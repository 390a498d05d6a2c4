/**
 * Waits between attempts: they double from `minMs` to `maxMs` milliseconds. Chance spreads each over its upper half, so
 * that many processes that lose their service together do not come back together.
 */
export class Backoff {
  private stepMs: number;

  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
  ) {
    this.stepMs = minMs;
  }

  /** The next wait, in milliseconds. */
  nextMs(): number {
    const stepMs = this.stepMs;
    this.stepMs = Math.min(stepMs * 2, this.maxMs);
    return stepMs * (0.5 + Math.random() / 2);
  }

  /** The next wait is the shortest again. */
  reset(): void {
    this.stepMs = this.minMs;
  }
}
