import type { Aside } from '../../../libs/decision-point/response.js';
import type { Clock } from '../../../libs/kernel/time.js';
import { Problem } from '../edge/problem.js';

export interface GateOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Pieces of work at once; past it each new one is refused. */
  readonly maxInFlight: number;
  /** From this long a piece of work on, new ones are refused while more than a few are under way. */
  readonly maxWaitMs: number;
}

/** So many are always let in, however slow the last one was: their answers say when it is over. */
const FEW = 16;
/** Of the last piece of work in what is usual: eight slow ones say it, one straggler does not. */
const WEIGHT = 1 / 8;

/**
 * Lets in as much work as can be answered in time, and refuses the rest before anything is done for it. What is slow is
 * seen by what was finished of late, and where nothing is finished any more by how long that has been so: one straggler
 * among many does not close the gate.
 */
export class Gate {
  private running = 0;
  private refusals = 0;
  private usualMs = 0;
  /** When a piece of work was last finished, or the first one came to an idle gate. */
  private movedMs = 0;
  private readonly few: number;

  constructor(private readonly options: GateOptions) {
    this.few = Math.min(FEW, Math.ceil(options.maxInFlight / 4));
  }

  get inFlight(): number {
    return this.running;
  }

  /** How often it has refused so far. */
  get refused(): number {
    return this.refusals;
  }

  /** Throws `Problem` (`overloaded`) where a piece of work would be refused now. */
  refuseIfFull(): void {
    if (!this.isFull()) return;
    this.refusals += 1;
    throw new Problem('overloaded', 'more is asked than can be answered in time');
  }

  /**
   * Does a piece of work. Throws `Problem` (`overloaded`) instead where there is too much under way. What it waits for
   * `aside` is bounded elsewhere: it takes no room here, and its time does not count.
   */
  async run<Answer>(work: (aside: Aside) => Promise<Answer>): Promise<Answer> {
    this.refuseIfFull();
    const startedMs = this.options.clock.monotonicMs();
    let asideMs = 0;
    const aside: Aside = async (wait) => {
      const fromMs = this.options.clock.monotonicMs();
      this.running -= 1;
      try {
        return await wait();
      } finally {
        this.running += 1;
        asideMs += this.options.clock.monotonicMs() - fromMs;
      }
    };
    if (this.running === 0) [this.movedMs, this.usualMs] = [startedMs, 0];
    this.running += 1;
    try {
      return await work(aside);
    } finally {
      this.running -= 1;
      this.movedMs = this.options.clock.monotonicMs();
      this.usualMs += (this.movedMs - startedMs - asideMs - this.usualMs) * WEIGHT;
    }
  }

  /** Whether a piece of work would be refused now. */
  isFull(): boolean {
    const { maxInFlight, maxWaitMs, clock } = this.options;
    if (this.running < this.few) return false;
    if (this.running >= maxInFlight || this.usualMs > maxWaitMs) return true;
    return clock.monotonicMs() - this.movedMs > maxWaitMs;
  }
}
