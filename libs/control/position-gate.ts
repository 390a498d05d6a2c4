interface Waiter {
  readonly position: bigint;
  readonly done: () => void;
}

/** Each step of the projection visits all waiters. It is more than the limit for queries, so health checks have room too. */
const MAX_WAITING = 2048;

/** The position of a projection, and the callers that wait for a later one. */
export class PositionGate {
  private reached = -1n;
  private readonly waiting = new Set<Waiter>();

  /** Everything up to this position is in the projection. It is negative before the first event. */
  get position(): bigint {
    return this.reached;
  }

  advance(position: bigint): void {
    if (position > this.reached) this.reached = position;
    for (const waiter of this.waiting) if (waiter.position <= position) waiter.done();
  }

  /** The projection starts over. */
  restart(): void {
    this.reached = -1n;
  }

  /** Whether the projection reaches a position within `timeoutMs`; false at once if too many callers wait already. */
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
