import type { Logger } from 'pino';
import type { LogTime } from '../../../libs/control/log-time.js';

const LOOK_MS = 10_000;

/**
 * Says once that the service's time is ahead of the wall clock, and once that it no longer is. The time of the service
 * never goes back: one start with a clock that was ahead moves it until real time has caught up.
 */
export class ClockWatch {
  private readonly timer: NodeJS.Timeout;
  private wasAhead = false;

  /** Looks at once. The caller stops it. */
  constructor(
    private readonly time: Pick<LogTime, 'now' | 'aheadMs'>,
    private readonly skewMs: number,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
  ) {
    this.look();
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  look(): void {
    const aheadMs = Math.round(this.time.aheadMs());
    const isAhead = aheadMs > this.skewMs;
    if (isAhead === this.wasAhead) return;
    this.wasAhead = isAhead;
    const fields = { aheadMs, serviceTime: this.time.now() };
    if (isAhead)
      this.logger.warn(fields, 'the wall clock is behind the newest event: `sallyport clock` shows the way back');
    else this.logger.info(fields, 'the wall clock has caught up with the newest event');
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
