import { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import { Overloaded } from '../edge/problem.js';

/** Requests that may wait at once. One principal may hold half of them. */
const MAX_WAITING = 1024;

/** Requests that wait until an approval is decided, or a held response is released. */
export class ApprovalWaits {
  private readonly waiting = new FairShareLimiter(MAX_WAITING);
  private readonly wakes = new Map<string, Set<() => void>>();
  private draining = false;

  /** Wakes the requests that wait for an approval, or for the response of a call. */
  readonly decided = (id: string): void => this.wakes.get(id)?.forEach((wake) => wake());

  /** Ends all waits, because the service goes away. Later ones end at once. */
  drain(): void {
    this.draining = true;
    for (const wakes of this.wakes.values()) for (const wake of wakes) wake();
  }

  /**
   * Waits until the decision about an id is there, or `waitMs` milliseconds have passed. `isOver` is asked after the wait is known to
   * others, so no decision is missed in between. Throws `Overloaded`.
   */
  async wait(name: string, id: string, waitMs: number, isOver: () => Promise<boolean>): Promise<void> {
    const hold = this.waiting.hold(name);
    if (!hold.take(1)) throw new Overloaded('waits', 'too many requests wait for people');
    const { promise, resolve } = Promise.withResolvers<void>();
    const wakes = this.wakes.get(id) ?? new Set();
    this.wakes.set(id, wakes.add(resolve));
    const timer = setTimeout(resolve, waitMs);
    try {
      if (!(await isOver()) && !this.draining) await promise;
    } finally {
      clearTimeout(timer);
      wakes.delete(resolve);
      if (wakes.size === 0) this.wakes.delete(id);
      hold.end();
    }
  }
}
