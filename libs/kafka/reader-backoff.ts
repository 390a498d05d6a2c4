import { Backoff } from '../kernel/backoff.js';

/** Between two attempts: a broker that comes back is found this soon. */
const RETRY_MS = 250;
/** A topic that cannot be processed is read from its beginning each time, and will hardly change soon. */
const MAX_RETRY_MS = 30_000;
/** A topic without writers makes a consumer seem stalled: each attempt waits longer for a record. */
const MAX_SILENCE_MS = 30_000;

/** The outcome of an attempt to follow a topic. */
export interface Attempt {
  /**
   * - `none`: the end was not reached.
   * - `refused`: the records could not be processed.
   * - `done`: they were handed over.
   */
  readonly load: 'none' | 'refused' | 'done';
  /** A record arrived after that. */
  readonly heardNews: boolean;
}

/** How long a follower of a topic waits, from one attempt to the next. */
export class ReaderBackoff {
  /** How long an attempt may go without a record. */
  silenceMs: number;
  private readonly refused = new Backoff(RETRY_MS, MAX_RETRY_MS);

  constructor(private readonly beatMs: number) {
    this.silenceMs = 3 * beatMs;
  }

  /** The time until the next attempt is due, in milliseconds. */
  after({ load, heardNews }: Attempt): number {
    this.silenceMs = heardNews ? 3 * this.beatMs : Math.min(2 * this.silenceMs, MAX_SILENCE_MS);
    if (load === 'done') this.refused.reset();
    return load === 'refused' ? this.refused.nextMs() : RETRY_MS;
  }
}
