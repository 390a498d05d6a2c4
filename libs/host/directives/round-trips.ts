import { Backoff } from '../../kernel/backoff.js';
import type { Clock } from '../../kernel/time.js';
import type { DirectivesClient } from '../service/client.js';
import type { HostView } from './view.js';

const [MIN_WAIT_MS, MAX_WAIT_MS] = [50, 1000];
/** After this long without a question the waits begin with the shortest again. */
const CALM_MS = 2000;

/** Asks the service for snapshots as the view wants them: one question at a time, with growing waits between them. */
export class RoundTrips {
  /** Why the last question had no answer; undefined if it had one. */
  lastError: unknown;
  private isUnderWay = false;
  private askedMs = Number.NEGATIVE_INFINITY;
  private notBeforeMs = Number.NEGATIVE_INFINITY;
  private readonly backoff = new Backoff(MIN_WAIT_MS, MAX_WAIT_MS);

  constructor(
    private readonly client: Pick<DirectivesClient, 'directives'>,
    private readonly view: HostView,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly closing: AbortSignal,
  ) {}

  isDue(): boolean {
    return !this.isUnderWay && this.clock.monotonicMs() >= this.notBeforeMs && this.view.wantsRoundTrip();
  }

  /** Never rejects: without an answer the question is asked again, and meanwhile the lease runs out. */
  async ask(): Promise<void> {
    this.isUnderWay = true;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.askedMs > CALM_MS) this.backoff.reset();
    this.askedMs = nowMs;
    const asked = this.view.asking();
    try {
      const answer = await this.client.directives(this.closing);
      if (!this.closing.aborted) this.view.answered(answer, asked);
      this.lastError = undefined;
    } catch (error) {
      this.lastError = error;
    }
    // Chance spreads the questions of many hosts.
    this.notBeforeMs = this.clock.monotonicMs() + this.backoff.nextMs() * (0.5 + Math.random() / 2);
    this.isUnderWay = false;
  }
}
