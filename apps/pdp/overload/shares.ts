/** An amount that many draw from at once: bytes that are held, calls that are open. One name gets at most half of it. */
export class Shares {
  private taken = 0;
  private refusals = 0;
  private readonly byName = new Map<string, number>();

  constructor(
    private readonly total: number,
    /** The most that one name may have. */
    readonly each = Math.ceil(total / 2),
  ) {}

  get inUse(): number {
    return this.taken;
  }

  /** How often it has refused so far. */
  get refused(): number {
    return this.refusals;
  }

  /** How much a name has. */
  of(name: string): number {
    return this.byName.get(name) ?? 0;
  }

  /** Whether a name has all that one name may have. */
  isSpentBy(name: string): boolean {
    return this.of(name) >= this.each;
  }

  /** The name that has the most. */
  largest(): string | undefined {
    let largest: string | undefined;
    for (const [name, amount] of this.byName) if (largest === undefined || amount > this.of(largest)) largest = name;
    return largest;
  }

  /** What one request, stream or piece of work takes for a name, from its beginning to its end. The caller says `end`. */
  hold(name: string): Hold {
    return new Hold(
      (amount) => this.take(name, amount),
      (amount) => this.giveBack(name, amount),
    );
  }

  private take(name: string, amount: number): boolean {
    const own = this.of(name) + amount;
    if (this.taken + amount > this.total || own > this.each) {
      this.refusals += 1;
      return false;
    }
    this.taken += amount;
    this.byName.set(name, own);
    return true;
  }

  private giveBack(name: string, amount: number): void {
    this.taken -= amount;
    const own = this.of(name) - amount;
    if (own > 0) this.byName.set(name, own);
    else this.byName.delete(name);
  }
}

/** What is taken of `Shares` until an end. Its end may come before the beginning: then nothing stays taken. */
export class Hold {
  private held = 0;
  private isOver = false;

  constructor(
    private readonly takeOf: (amount: number) => boolean,
    private readonly returnTo: (amount: number) => void,
  ) {}

  /** Takes an amount until it is given back, or until the end. False if less than that is left. */
  take(amount: number): boolean {
    if (!this.takeOf(amount)) return false;
    // Whatever is taken after the end is given back at once.
    if (this.isOver) this.returnTo(amount);
    else this.held += amount;
    return true;
  }

  /** Gives back a part before the end. */
  giveBack(amount: number): void {
    const given = Math.min(amount, this.held);
    this.held -= given;
    if (given > 0) this.returnTo(given);
  }

  /** Gives back all of it. The second end is none. */
  end(): void {
    this.isOver = true;
    this.giveBack(this.held);
  }
}
