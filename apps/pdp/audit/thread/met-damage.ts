import type { DamagedPlace } from '../../../../libs/event-log/port.js';
import type { AuditReply } from './messages.js';

/** Damaged events that one reply names at most. */
const MAX_NAMED = 1_000;

/** The damaged events that the thread has read and not reported yet. */
export class MetDamage {
  private readonly places = new Map<bigint, DamagedPlace>();

  readonly found = (place: DamagedPlace): void => {
    if (this.places.size < MAX_NAMED) this.places.set(place.position, place);
  };

  /** The replies. The first of them names the events. */
  reportIn([first, ...others]: readonly AuditReply[]): AuditReply[] {
    if (first === undefined) return [];
    const damaged = [...this.places.values()];
    this.places.clear();
    return [damaged.length === 0 ? first : { ...first, damaged }, ...others];
  }
}
