import { parseEvent, type Event } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';

/**
 * An event as auditors receive it (`contract.md`, Evidence): as it was written, at its original schema version, with
 * its position in the log.
 */
export interface StoredEvent extends Event {
  /** Decimal; compare as an integer. */
  readonly position: string;
}

export function storedEvent({ position, json }: Pick<RecordedEvent, 'position' | 'json'>): StoredEvent {
  return { position: String(position), ...parseEvent(json) };
}

/** The same as JSON. */
export function storedText({ position, json }: Pick<RecordedEvent, 'position' | 'json'>): string {
  return `{"position":"${position}",${json.slice(1)}`;
}

/** Orders by position. Events with the same position keep their order. */
export function byPosition(a: Pick<RecordedEvent, 'position'>, b: Pick<RecordedEvent, 'position'>): number {
  return a.position < b.position ? -1 : a.position > b.position ? 1 : 0;
}
