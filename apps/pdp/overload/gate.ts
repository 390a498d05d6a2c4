import type { Aside } from '../../../libs/decision-point/response.js';
import type { Clock } from '../../../libs/kernel/time.js';
import { Overloaded } from '../edge/problem.js';

export interface GateOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Most pieces of work at once. Above it, each new one is refused. */
  readonly maxInFlight: number;
  /** If work takes longer than this, new work is refused while more than a few pieces are in progress. */
  readonly maxWaitMs: number;
}

/** This many pieces are always let in, even if the last one was slow. Their answers show when the overload is over. */
const FEW = 16;
/** Weight of the latest piece of work in the moving average: eight slow ones close the gate, one does not. */
const WEIGHT = 1 / 8;

/**
 * Lets in as much work as can be answered in time. Excess work is refused immediately, before anything is done for it.
 * The gate closes if recent work was slow on average, or if nothing has finished for too long. One slow piece among
 * many does not close it.
 */
export class Gate {
  private running = 0;
  private refusals = 0;
  private usualMs = 0;
  /** When a piece of work last finished, or when the first one entered an idle gate. */
  private movedMs = 0;
  private readonly few: number;

  constructor(private readonly options: GateOptions) {
    this.few = Math.min(FEW, Math.ceil(options.maxInFlight / 4));
  }

  get inFlight(): number {
    return this.running;
  }

  /** The number of refusals so far. */
  get refused(): number {
    return this.refusals;
  }

  /** Throws `Problem` (`overloaded`) if a piece of work would be refused now. */
  refuseIfFull(): void {
    if (!this.isFull()) return;
    this.refusals += 1;
    throw new Overloaded('calls', 'the service is overloaded');
  }

  /**
   * Does a piece of work, or throws `Problem` (`overloaded`) if the gate is closed. A wait through `aside` is bounded
   * elsewhere: it takes no place here, and its time does not count.
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
