import { setTimeout as pause } from 'node:timers/promises';
import { within } from '../kernel/within.js';
import { Checkpoints } from './checkpoints.js';
import { runLane, type Lane, type RelayParts, type Session } from './lane.js';
import type { Outlet } from './port.js';
import type { SiemLaneName } from '../streams/relay-events.js';

/** How often a lane without work looks whether something was committed. */
const LOOK_MS = 200;

/** The next events after a position, as a SIEM has them now. */
export interface Delivered {
  /** Everything up to here has been delivered, or is left out. */
  readonly to: bigint;
  readonly count: number;
  /** There was nothing more. */
  readonly atEnd: boolean;
}

/** A way on which the OCSF events of a lane leave. */
export interface SiemOutput {
  /** A delivery that takes longer has failed. Its events may still arrive, and are delivered again. */
  readonly deliverMs: number;
  deliver(after: bigint, session: Pick<Session, 'sender' | 'signal'>): Promise<Delivered>;
  /** Resolves once everything that was delivered outlives a crash. */
  settle(): Promise<void>;
}

export interface SiemParts extends RelayParts {
  /** The newest commit that this process knows. */
  latestCommit(): bigint;
  /** The shortest time between two records of progress; 5 s if not given. */
  readonly checkpointMs?: number;
}

/**
 * Delivers the OCSF event of every event of the log, in its order, at least once. After a failure or a restart it goes on
 * from the last record of progress.
 */
export function runSiemLane(name: SiemLaneName, parts: SiemParts, outlet: Outlet, output: SiemOutput): Lane {
  return runLane(name, parts, outlet, {
    hasWork: async (lease) => (await parts.log.end()) > lease.position,
    session: (session) => deliverAll(parts, output, session),
  });
}

/** For outputs that open and close by themselves. */
export const NO_OUTLET: Outlet = {
  sendMs: 0,
  prepare: () => Promise.resolve(),
  open: () => Promise.resolve({ send: () => Promise.resolve(), discard: () => undefined }),
  mark: () => Promise.resolve(''),
};

async function deliverAll(parts: SiemParts, output: SiemOutput, session: Session): Promise<void> {
  const { signal } = session;
  const checkpoints = new Checkpoints(session.lease, parts.clock, parts.checkpointMs);
  const record = async (now?: 'now'): Promise<void> => {
    const dueMs = checkpoints.dueMs();
    if (dueMs === undefined || (dueMs > 0 && now === undefined)) return;
    await within(output.deliverMs, 'the sync of what was delivered', output.settle());
    await checkpoints.record(now);
  };
  let at = session.position;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { to, count, atEnd } = await within(output.deliverMs, 'a delivery', output.deliver(at, session), signal);
      at = to;
      if (count === 0) session.passedOver(at);
      else {
        checkpoints.passed(count, at);
        session.acknowledged(count, at);
      }
      await record();
      if (!atEnd) continue;
      while (parts.latestCommit() <= at) {
        await pause(LOOK_MS, undefined, { signal });
        await record();
      }
    }
  } finally {
    await record('now').catch(() => undefined);
  }
}
