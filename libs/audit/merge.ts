import { categoryOf } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import { families } from '../streams/catalogue.js';
import type { EventSource } from './event-source.js';

/** Several sources as one, in order of position. Sources that are at their end are dropped. */
export class Merge {
  private sources: EventSource[];

  constructor(sources: readonly EventSource[]) {
    this.sources = [...sources];
  }

  add(source: EventSource): void {
    this.sources.push(source);
  }

  /** The position of the next event; undefined at the end. Throws `LogUnavailable`. */
  async next(): Promise<bigint | undefined> {
    let least: bigint | undefined;
    const open: EventSource[] = [];
    for (const source of this.sources) {
      const event = await source.peek();
      if (event === undefined) continue;
      open.push(source);
      if (least === undefined || event.position < least) least = event.position;
    }
    this.sources = open;
    return least;
  }

  /** Takes all events of a position. Those of one stream stay in their order. */
  async takeAt(position: bigint): Promise<RecordedEvent[]> {
    const taken: RecordedEvent[] = [];
    for (const source of this.sources) {
      for (let event = await source.peek(); event?.position === position; event = await source.peek()) {
        taken.push(event);
        source.take();
      }
    }
    return taken.sort((a, b) => rankOf(a) - rankOf(b));
  }
}

/** The order of events that share a position, because one batch wrote them. */
const ORDER: readonly string[] = [families.calls.category, families.task.category, families.trace.category];

function rankOf({ stream }: RecordedEvent): number {
  const rank = ORDER.indexOf(categoryOf(stream));
  return rank < 0 ? ORDER.length : rank;
}
