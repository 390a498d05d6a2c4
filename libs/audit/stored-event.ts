import { parseEvent, type Event } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import type { LostAttempt } from './attempts-at.js';
import type { MissingEvent } from '../contract/evidence.js';
import { isShowable } from './soundness.js';

/**
 * An event as auditors receive it (`contract.md`, Evidence): as it was written, at its original schema version, with
 * its position in the log.
 */
export interface StoredEvent extends Event {
  /** Decimal; compare as an integer. */
  readonly position: string;
}

/** An event whose bytes are not those that were written, or that is gone, in its place. */
export interface DamagedEvent {
  readonly position: string;
  readonly stream: string;
  readonly revision: number;
  readonly damaged: true;
}

/** An event as an item of a list, damaged or not, as JSON. */
export function storedText(event: RecordedEvent): string {
  return isShowable(event)
    ? `{"position":"${event.position}",${event.json.slice(1)}`
    : JSON.stringify(damagedEvent(event));
}

export function damagedEvent({ position, stream, revision }: Omit<RecordedEvent, 'type' | 'json'>): DamagedEvent {
  return { position: String(position), stream, revision, damaged: true };
}

/** A decision that the index knows and the log cannot show, in its place. */
export function lostItem({ lost, reference }: LostAttempt): DamagedEvent | MissingEvent {
  if (lost === 'damaged') return damagedEvent(reference);
  const { position, stream, revision } = reference;
  return { position: String(position), stream, revision, missing: true };
}

/** The same as an object. */
export function storedEvent(event: RecordedEvent): StoredEvent | DamagedEvent {
  if (!isShowable(event)) return damagedEvent(event);
  return { position: String(event.position), ...parseEvent(event.json) };
}

/** Orders by position. Events with the same position keep their order. */
export function byPosition(a: Pick<RecordedEvent, 'position'>, b: Pick<RecordedEvent, 'position'>): number {
  return a.position < b.position ? -1 : a.position > b.position ? 1 : 0;
}
