import type { Clock } from '../kernel/time.js';
import type { RelayLease } from './relay-lease.js';

/**
 * The shortest time between two records of progress: records sent after the last one are sent again by the next holder.
 */
const EVERY_MS = 5_000;
const EVERY_RECORDS = 20_000;

/** Records the progress of a lane from time to time. Not for use by two callers at once. */
export class Checkpoints {
  private atMs: number;
  private records = 0;
  private position: bigint;

  constructor(
    private readonly lease: RelayLease,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly everyMs = EVERY_MS,
  ) {
    this.atMs = clock.monotonicMs();
    this.position = lease.position;
  }

  /** Everything up to `position` has been acknowledged. */
  passed(records: number, position: bigint): void {
    this.records += records;
    this.position = position;
  }

  /** The time until progress is due to be recorded, in milliseconds; undefined if there is none. */
  dueMs(): number | undefined {
    if (this.records === 0) return undefined;
    if (this.records >= EVERY_RECORDS) return 0;
    return Math.max(0, this.atMs + this.everyMs - this.clock.monotonicMs());
  }

  /** Records progress if it is due, or with `now` if there is any. Throws `LeaseLost`, `LogUnavailable`. */
  async record(now?: 'now'): Promise<void> {
    const dueMs = this.dueMs();
    if (dueMs === undefined || (dueMs > 0 && now === undefined)) return;
    this.records = 0;
    this.atMs = this.clock.monotonicMs();
    await this.lease.checkpoint(this.position);
  }
}
