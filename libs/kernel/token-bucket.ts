/** A token bucket. It starts full with `capacity` tokens and refills at `perS` tokens a second. */
export class TokenBucket {
  private tokens: number;
  private filledMs: number;

  constructor(
    private readonly capacity: number,
    private readonly perS: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.tokens = capacity;
    this.filledMs = nowMs();
  }

  /** Whether it holds this many tokens now. */
  has(amount: number): boolean {
    const nowMs = this.nowMs();
    this.tokens = Math.min(this.capacity, this.tokens + ((nowMs - this.filledMs) / 1000) * this.perS);
    this.filledMs = nowMs;
    return this.tokens >= amount;
  }

  /** Takes tokens if it holds that many. Returns false and takes none if it does not. */
  take(amount = 1): boolean {
    if (!this.has(amount)) return false;
    this.tokens -= amount;
    return true;
  }
}
