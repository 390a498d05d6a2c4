/** RFC 3339 in UTC with milliseconds, as on the wire: `2026-11-22T10:00:00.000Z`. */
export type Instant = string;

/** The source of time. Deciders never see it: times reach them in commands. */
export interface Clock {
  /** Milliseconds since the Unix epoch, by the wall clock; it may jump either way. */
  wallMs(): number;
  /** Milliseconds that only grow, for durations. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export const toInstant = (ms: number): Instant => new Date(ms).toISOString();

export const toMs = (instant: Instant): number => Date.parse(instant);
