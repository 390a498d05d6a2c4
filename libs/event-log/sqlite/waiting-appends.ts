import type { AppendOutcome, Batch } from '../port.js';
import { MAX_GROUP_BATCHES, MAX_GROUP_BYTES } from './settings.js';

/** An append whose fate is not known yet. */
export interface Waiting {
  readonly batch: Batch;
  readonly weight: number;
  /** Its cell in `ClaimCells`. */
  readonly cell: number;
  readonly resolve: (outcome: AppendOutcome) => void;
}

/** Appends that the writer has not been given yet, in the order in which it gets them. */
export class WaitingAppends {
  private readonly waiting: Waiting[] = [];
  private eventCount = 0;

  get length(): number {
    return this.waiting.length;
  }

  get events(): number {
    return this.eventCount;
  }

  get startsUrgently(): boolean {
    return this.waiting[0]?.batch.urgent === true;
  }

  add(append: Waiting): void {
    this.count(append, 1);
    if (append.batch.urgent === true) this.waiting.splice(this.placeOf(append.batch), 0, append);
    else this.waiting.push(append);
  }

  /** The next group: as many as may share one. */
  takeGroup(): Waiting[] {
    let count = 1;
    let weight = this.waiting[0]?.weight ?? 0;
    for (; count < Math.min(this.waiting.length, MAX_GROUP_BATCHES); count += 1) {
      weight += this.waiting[count]?.weight ?? 0;
      if (weight > MAX_GROUP_BYTES) break;
    }
    return this.take(count);
  }

  takeAll(): Waiting[] {
    return this.take(this.waiting.length);
  }

  private take(count: number): Waiting[] {
    const taken = this.waiting.splice(0, count);
    for (const each of taken) this.count(each, -1);
    return taken;
  }

  private count({ batch }: Waiting, sign: 1 | -1): void {
    for (const { events } of batch.writes) this.eventCount += sign * events.length;
  }

  /**
   * Before all that is not urgent, but behind whatever writes a stream that the batch writes or checks: it may rest on that.
   * What merely checks a stream that the batch writes is refused for it, as if it had come later.
   */
  private placeOf({ writes, checks }: Batch): number {
    const streams = new Set([...writes, ...checks].map(({ stream }) => stream));
    const rests = ({ batch }: Waiting): boolean =>
      batch.urgent === true || batch.writes.some(({ stream }) => streams.has(stream));
    return this.waiting.findLastIndex(rests) + 1;
  }
}
