import type { EventLog } from '../../libs/event-log/port.js';

/**
 * - `failed`: the answer is `unknown`, and nothing was written.
 * - `persisted`: the answer is `unknown`, although everything was written.
 * - `untaken`: the answer is `unwritten`, as from a store that cannot be opened.
 * - `refused`: the answer is `refused`, as after a lost race, and nothing was written.
 */
export type FaultName = 'failed' | 'persisted' | 'untaken' | 'refused';

/** An empty log of the adapter under test. */
export interface LogUnderTest {
  readonly log: EventLog;
  /** The next append meets this fault. Absent if an adapter cannot fail on command. */
  readonly failNext?: (fault: FaultName) => void;
  /** Closes the log if a test has not, and leaves nothing behind. */
  readonly dispose: () => Promise<void>;
}

export type MakeLog = (options?: { readonly maxQueuedBatches?: number }) => Promise<LogUnderTest>;

/** Runs a test on a log of its own and cleans up after it. */
export function withLog(
  makeLog: MakeLog,
  body: (log: EventLog, under: LogUnderTest) => Promise<void>,
  options?: { readonly maxQueuedBatches?: number },
): () => Promise<void> {
  return async () => {
    const under = await makeLog(options);
    try {
      await body(under.log, under);
    } finally {
      await under.dispose();
    }
  };
}
