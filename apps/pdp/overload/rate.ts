/** A token bucket: so many at once, and so many a second after that. */
export class Rate {
  private left: number;
  private filledMs: number;

  constructor(
    private readonly burst: number,
    private readonly perS: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.left = burst;
    this.filledMs = nowMs();
  }

  /** Whether there is one left; then it is taken. */
  take(): boolean {
    const nowMs = this.nowMs();
    this.left = Math.min(this.burst, this.left + ((nowMs - this.filledMs) / 1000) * this.perS);
    this.filledMs = nowMs;
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}
