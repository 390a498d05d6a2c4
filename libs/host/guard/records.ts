import type { HostClient, Outcome } from '../service/client.js';

/** Reports to the service after a call. No call waits for them. */
export interface Records {
  outcome(callId: string, outcome: Outcome): void;
  /** Any other work of that kind. Its failure is ignored. */
  later(work: Promise<unknown>): void;
  /** Resolves when all reports are done. */
  settled(): Promise<void>;
}

export function recordsTo(client: HostClient, taskId: string): Records {
  const underWay = new Set<Promise<void>>();
  const later = (work: Promise<unknown>): void => {
    // The client has repeated the question by then, and the call is over: nobody can handle the failure.
    const done = work.then(
      () => undefined,
      () => undefined,
    );
    underWay.add(done);
    void done.finally(() => underWay.delete(done));
  };
  return {
    later,
    outcome: (callId, outcome) => later(client.recordOutcome(callId, { taskId, ...outcome })),
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
