import { Backoff } from '../kernel/backoff.js';

/** Between two attempts: a broker that comes back is found this soon. */
const RETRY_MS = 250;
/** A topic that cannot be taken in is read from its beginning each time, and will hardly be another one soon. */
const MAX_RETRY_MS = 30_000;
/** A topic in which nobody writes makes a consumer seem stalled: from one to the next it is given longer. */
const MAX_SILENCE_MS = 30_000;

/** What came of an attempt at following a topic. */
export interface Attempt {
  /** - `none`: the end was not reached.   - `refused`: what was read could not be taken.   - `done`: it was handed over. */
  readonly load: 'none' | 'refused' | 'done';
  /** A record came after that. */
  readonly heardNews: boolean;
}

/** How patient whoever follows a topic is, from one attempt to the next. */
export class ReaderBackoff {
  /** How long an attempt may go without a record. */
  silenceMs: number;
  private readonly refused = new Backoff(RETRY_MS, MAX_RETRY_MS);

  constructor(private readonly beatMs: number) {
    this.silenceMs = 3 * beatMs;
  }

  /** In how many milliseconds the next attempt is due. */
  after({ load, heardNews }: Attempt): number {
    this.silenceMs = heardNews ? 3 * this.beatMs : Math.min(2 * this.silenceMs, MAX_SILENCE_MS);
    if (load === 'done') this.refused.reset();
    return load === 'refused' ? this.refused.nextMs() : RETRY_MS;
  }
}
