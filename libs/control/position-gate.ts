interface Waiter {
  readonly position: bigint;
  readonly done: () => void;
}

/** Each step of the projection looks at all who wait. Above what queries may have, so that health has room as well. */
const MAX_WAITING = 2048;

/** How far a projection has come, and those who wait for it to come further. */
export class PositionGate {
  private reached = -1n;
  private readonly waiting = new Set<Waiter>();

  /** Everything up to here is in the projection; below zero before anything is known. */
  get position(): bigint {
    return this.reached;
  }

  advance(position: bigint): void {
    if (position > this.reached) this.reached = position;
    for (const waiter of this.waiting) if (waiter.position <= position) waiter.done();
  }

  /** The projection begins anew. */
  restart(): void {
    this.reached = -1n;
  }

  /** Whether the projection comes to a position within `timeoutMs`; false at once where too many wait already. */
  waitFor(position: bigint, timeoutMs: number): Promise<boolean> {
    if (this.reached >= position) return Promise.resolve(true);
    if (this.waiting.size >= MAX_WAITING) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (reached: boolean): void => {
        clearTimeout(timer);
        this.waiting.delete(waiter);
        resolve(reached);
      };
      const waiter: Waiter = { position, done: () => finish(true) };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.waiting.add(waiter);
    });
  }
}
