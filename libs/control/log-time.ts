import { parseEvent } from '../event-log/event.js';
import { isDamaged, type EventLog } from '../event-log/port.js';
import { toInstant, toMs, type Clock, type Instant } from '../kernel/time.js';
import type { ControlView } from './control-view.js';

/**
 * Dates events with the later of the wall clock and the latest event: a clock that is set back makes no decision older.
 * Until that clock has caught up, time advances by the monotonic clock, so leases and tasks still end on time.
 */
export class LogTime {
  private readAtMs: number;

  /** `latestMs` is the time of the newest event in the log at the start, in milliseconds since the epoch. */
  constructor(
    private readonly clock: Clock,
    private readonly view: ControlView,
    private latestMs: number,
  ) {
    this.readAtMs = clock.monotonicMs();
  }

  now(): Instant {
    const readAtMs = this.clock.monotonicMs();
    const passed = this.latestMs + Math.max(0, readAtMs - this.readAtMs);
    this.latestMs = Math.max(passed, this.clock.wallMs(), this.view.latestMs);
    this.readAtMs = readAtMs;
    return toInstant(Math.floor(this.latestMs));
  }

  /** How far this time is ahead of the wall clock, in milliseconds; 0 if it is that clock. */
  aheadMs(): number {
    return Math.max(0, toMs(this.now()) - this.clock.wallMs());
  }

  /** For durations, in milliseconds. */
  monotonicMs(): number {
    return this.clock.monotonicMs();
  }
}

/** Events at the end of the log whose times are read. Times rise along the log, except among concurrent writers. */
const LAST_EVENTS = 256;

/**
 * Time of the newest event of a log, in milliseconds since the epoch; 0 in an empty one. Damaged events say nothing of
 * their time. Throws `LogUnavailable`.
 */
export async function newestEventMs(log: EventLog): Promise<number> {
  const last = await log.last(LAST_EVENTS);
  return Math.max(0, ...last.filter((event) => !isDamaged(event)).map(({ json }) => toMs(parseEvent(json).time)));
}
