import { categoryOf } from './event.js';
import type { RecordedEvent, StreamWrite } from './port.js';

/** A batch as it was committed, and the position of its last event; of a log whose positions have no gaps. */
export interface Committed {
  readonly writes: readonly StreamWrite[];
  readonly position: bigint;
}

/** Above either bound, committed batches are read back from the log instead. */
const MAX_EVENTS = 4096;
const MAX_CHARS = 16_777_216;

/**
 * The end of a log, as one follower knows it without reading: the batches that were committed after some position,
 * without a gap, as far as they belong to its categories.
 */
export class Tail {
  private events: RecordedEvent[] = [];
  private chars = 0;
  /** Undefined if nothing is known. */
  private from: bigint | undefined;
  private upTo = 0n;

  /** `categories`: those that are kept; all if not given. */
  constructor(private readonly categories: readonly string[] | undefined) {}

  /** Everything up to here is in the tail or has been taken from it. */
  get to(): bigint {
    return this.upTo;
  }

  get isEmpty(): boolean {
    return this.events.length === 0;
  }

  /** False if other batches lie in between or the tail is full: the follower has to read. */
  add({ writes, position }: Committed): boolean {
    let first = position;
    for (const { events } of writes) first -= BigInt(events.length);
    if (this.from === undefined) this.from = this.upTo = first;
    // A batch that was committed before, or a read was quicker than the notice of the commit.
    if (position <= this.upTo) return true;
    if (first !== this.upTo) return false;
    for (const { stream, events } of writes) {
      const wanted = this.categories?.includes(categoryOf(stream)) !== false;
      for (const { revision, type, json } of events) {
        first += 1n;
        if (!wanted) continue;
        this.events.push({ position: first, stream, revision, type, json });
        this.chars += json.length;
      }
    }
    this.upTo = position;
    return this.events.length <= MAX_EVENTS && this.chars <= MAX_CHARS;
  }

  /**
   * A read has shown everything up to `end`. False if the tail does not continue there: the follower has to read on.
   */
  joinAt(end: bigint): boolean {
    const joins = this.from === undefined || this.from <= end;
    if (!joins || this.upTo <= end) this.drop();
    if (!joins) return false;
    this.take(this.events.filter(({ position }) => position <= end).length);
    this.from = end;
    if (end > this.upTo) this.upTo = end;
    return true;
  }

  /** Takes the first of its events out. */
  take(count: number): readonly RecordedEvent[] {
    const taken = this.events.splice(0, count);
    for (const { json } of taken) this.chars -= json.length;
    return taken;
  }

  /** Forgets everything. */
  drop(): void {
    this.events = [];
    this.chars = 0;
    this.from = undefined;
    this.upTo = 0n;
  }
}
