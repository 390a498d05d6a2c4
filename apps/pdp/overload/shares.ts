/** An amount that many draw from at once: bytes that are held, calls that are open. One name gets at most half of it. */
export class Shares {
  private taken = 0;
  private refusals = 0;
  private readonly byName = new Map<string, number>();

  constructor(
    private readonly total: number,
    /** The most that one name may have. */
    private readonly each = Math.ceil(total / 2),
  ) {}

  get inUse(): number {
    return this.taken;
  }

  /** How often it has refused so far. */
  get refused(): number {
    return this.refusals;
  }

  /** Whether there is so much left for a name; then it is taken, and has to be given back. */
  take(name: string, amount: number): boolean {
    const own = (this.byName.get(name) ?? 0) + amount;
    if (this.taken + amount > this.total || own > this.each) {
      this.refusals += 1;
      return false;
    }
    this.taken += amount;
    this.byName.set(name, own);
    return true;
  }

  giveBack(name: string, amount: number): void {
    this.taken -= amount;
    const own = (this.byName.get(name) ?? 0) - amount;
    if (own > 0) this.byName.set(name, own);
    else this.byName.delete(name);
  }
}
