const TICK_MS = 50;
/** A timer that is this late shows that the thread was busy. */
const LATE_MS = 2 * TICK_MS;
const MAX_STRETCHES = 256;

/**
 * Time that counts against a client. Time while the thread does something else does not count: the client is not to
 * blame if nobody reads what it has sent.
 */
export class WaitingTime {
  private lastMs: number;
  private lostTotal = 0;
  /** Times when the thread was busy, the latest last. */
  private readonly lost: { readonly untilMs: number; readonly ms: number }[] = [];
  private readonly tick: NodeJS.Timeout;

  constructor(private readonly nowMs: () => number = () => performance.now()) {
    this.lastMs = nowMs();
    this.tick = setInterval(() => this.look(), TICK_MS);
    this.tick.unref();
  }

  /** Milliseconds that count, from an arbitrary start. */
  get ms(): number {
    return this.look() - this.lostTotal;
  }

  /** How many of the last `ms` milliseconds do not count. */
  lostWithin(ms: number): number {
    const fromMs = this.look() - ms;
    let sum = 0;
    for (const each of this.lost) sum += Math.max(0, Math.min(each.ms, each.untilMs - fromMs));
    return sum;
  }

  stop(): void {
    clearInterval(this.tick);
  }

  /** Callers may look between ticks: after a busy time they can run before the timer does. */
  private look(): number {
    const nowMs = this.nowMs();
    const lostMs = nowMs - this.lastMs - LATE_MS;
    this.lastMs = nowMs;
    if (lostMs <= 0) return nowMs;
    this.lostTotal += lostMs;
    this.lost.push({ untilMs: nowMs, ms: lostMs });
    if (this.lost.length > MAX_STRETCHES) this.lost.shift();
    return nowMs;
  }
}

/** One for the process: one thread reads what clients send. */
export const waitingTime = new WaitingTime();
