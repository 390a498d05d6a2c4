import { EventTooLarge } from '../../../libs/event-log/batch.js';
import { LogOverloaded, type Batch } from '../../../libs/event-log/port.js';
import type { SettledLog, SettledOutcome } from '../../../libs/event-log/settled.js';
import type { Clock } from '../../../libs/kernel/time.js';
import type { Metrics } from './metrics.js';

export interface MeasuredLog extends SettledLog {
  /** Position of the latest commit of this process; 0n before the first. */
  latestCommit(): bigint;
  /** The age in milliseconds of a commit of this process above `seen`; 0 if there is none. */
  unseenMs(seen: bigint): number;
}

/** Wraps a log: counts and times its appends. */
export function measuredLog(log: SettledLog, metrics: Metrics, clock: Pick<Clock, 'monotonicMs'>): MeasuredLog {
  let latest = { position: 0n, atMs: 0 };
  /** The earliest commit that was unseen at the last query, or that came since. */
  let unseen: typeof latest | undefined;
  const count = {
    committed: metrics.appends.labels('committed'),
    refused: metrics.appends.labels('refused'),
    overloaded: metrics.appends.labels('overloaded'),
    unavailable: metrics.appends.labels('unavailable'),
  };
  return {
    ...log,
    async append(batch: Batch): Promise<SettledOutcome> {
      const startedMs = clock.monotonicMs();
      try {
        const outcome = await log.append(batch);
        metrics.appendSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
        count[outcome.kind].inc();
        if (outcome.kind === 'committed' && outcome.position > latest.position) {
          latest = { position: outcome.position, atMs: clock.monotonicMs() };
          unseen ??= latest;
        }
        return outcome;
      } catch (error) {
        // An event that is too large was never sent, and says nothing about the log.
        if (!(error instanceof EventTooLarge))
          count[error instanceof LogOverloaded ? 'overloaded' : 'unavailable'].inc();
        throw error;
      }
    },
    latestCommit: () => latest.position,
    unseenMs(seen) {
      if (unseen !== undefined && seen >= unseen.position) unseen = seen >= latest.position ? undefined : latest;
      return unseen === undefined ? 0 : clock.monotonicMs() - unseen.atMs;
    },
  };
}
