/**
 * Bounds an amount that many names share: bytes held, calls open. One name gets at most `each`, by default half of the
 * total, so that one caller cannot take it all.
 */
export class FairShareLimiter {
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

  /** The number of refusals so far. */
  get refused(): number {
    return this.refusals;
  }

  /** The amount that a name holds. */
  of(name: string): number {
    return this.byName.get(name) ?? 0;
  }

  /** Whether a name holds all that one name may hold. */
  isSpentBy(name: string): boolean {
    return this.of(name) >= this.each;
  }

  /** The name that holds the most; undefined if nothing is held. */
  largest(): string | undefined {
    let largest: string | undefined;
    for (const [name, amount] of this.byName) if (largest === undefined || amount > this.of(largest)) largest = name;
    return largest;
  }

  /** Opens a hold for one request, stream or piece of work. The caller must call `end` on it. */
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

/** The amount that one piece of work holds until it ends. A hold may end before it takes: it then keeps nothing. */
export class Hold {
  private held = 0;
  private isOver = false;

  constructor(
    private readonly takeOf: (amount: number) => boolean,
    private readonly returnTo: (amount: number) => void,
  ) {}

  /** Takes an amount until `giveBack` or `end`. Returns false and takes nothing if the limiter has less left. */
  take(amount: number): boolean {
    if (!this.takeOf(amount)) return false;
    // An amount taken after the end goes back at once.
    if (this.isOver) this.returnTo(amount);
    else this.held += amount;
    return true;
  }

  /** Gives back part of the amount before the end. */
  giveBack(amount: number): void {
    const given = Math.min(amount, this.held);
    this.held -= given;
    if (given > 0) this.returnTo(given);
  }

  /** Gives back the whole amount. A second call does nothing. */
  end(): void {
    this.isOver = true;
    this.giveBack(this.held);
  }
}
