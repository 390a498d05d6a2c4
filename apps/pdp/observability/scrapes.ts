import type { Registry } from 'prom-client';
import { TokenBucket } from '../../../libs/kernel/token-bucket.js';

/** Each answer costs about a millisecond of the thread that decides, and anyone on this machine may ask. */
const BURST = 100;
const PER_S = 25;

/**
 * The metrics in the Prometheus text format, at a bounded rate over all listeners. They hold counts, sizes, durations and
 * words of our own closed lists. They hold no content, and no id of a task, call, trace, user or capability. The only
 * names are those of principals that were refused for load.
 */
export class Scrapes {
  private readonly budget = new TokenBucket(BURST, PER_S);

  constructor(private readonly registry: Pick<Registry, 'metrics'>) {}

  /** Undefined if they are asked for too often. */
  take(): Promise<string> | undefined {
    return this.budget.take() ? this.registry.metrics() : undefined;
  }
}
