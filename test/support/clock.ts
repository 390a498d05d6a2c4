import type { Clock } from '../../libs/kernel/time.js';

/** The real clock, which a test may move ahead. */
export interface MovableClock extends Clock {
  advance(ms: number): void;
}

export function movableClock(): MovableClock {
  let aheadMs = 0;
  return {
    wallMs: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
    advance(ms) {
      aheadMs += ms;
    },
  };
}
