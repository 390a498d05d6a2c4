/** One turn after the other: after its turn an owner goes behind all other owners that wait. */
export class Turns {
  /** In the order of their turns. */
  private readonly waiting = new Map<string, (() => void)[]>();
  private taken = 0;

  constructor(
    /** How many may have a turn at once. */
    private readonly atOnce = 1,
  ) {}

  /** Resolves when it is this owner's turn, with what ends it. */
  async take(owner: string): Promise<() => void> {
    if (this.taken < this.atOnce) this.taken += 1;
    else {
      await new Promise<void>((come) => {
        const own = this.waiting.get(owner);
        if (own === undefined) this.waiting.set(owner, [come]);
        else own.push(come);
      });
    }
    let ended = false;
    return () => {
      if (!ended) this.next();
      ended = true;
    };
  }

  private next(): void {
    const [first] = this.waiting;
    if (first === undefined) {
      this.taken -= 1;
      return;
    }
    const [owner, own] = first;
    const come = own.shift();
    this.waiting.delete(owner);
    if (own.length > 0) this.waiting.set(owner, own);
    come?.();
  }
}
