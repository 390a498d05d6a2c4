import type { HostClient, Outcome } from '../service/client.js';

/** What is told to the service after a call, without anybody waiting for it. */
export interface Records {
  outcome(callId: string, outcome: Outcome): void;
  /** Any other work of that kind; that it fails is nobody's to handle. */
  later(work: Promise<unknown>): void;
  /** Resolves when all of it is done. */
  settled(): Promise<void>;
}

export function recordsTo(client: HostClient, taskId: string): Records {
  const underWay = new Set<Promise<void>>();
  const later = (work: Promise<unknown>): void => {
    // The service has been asked several times by then, and the call is over: there is nobody to tell.
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
