import { toInstant, type Clock, type Instant } from '#libs/kernel/time.js';
import type { ControlView } from './control-view.js';

/** Dates events: the later of the wall clock and the latest event, so that a clock set back never makes a decision older. */
export class LogTime {
  private latestMs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly view: ControlView,
  ) {}

  now(): Instant {
    this.latestMs = Math.max(this.latestMs, this.clock.wallMs(), this.view.latestMs);
    return toInstant(this.latestMs);
  }

  /** For durations, in milliseconds. */
  monotonicMs(): number {
    return this.clock.monotonicMs();
  }
}
