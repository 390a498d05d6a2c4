import { justBefore } from '../event-log/position.js';
import type { RecordedEvent } from '../event-log/port.js';
import { batchesOf, bytesOf } from './batches.js';
import { WakeSignal } from './wake-signal.js';
import { Checkpoints } from './checkpoints.js';
import { cloudEventOf, type CloudEventOptions } from './cloud-event.js';
import { familyOf } from '../streams/catalogue.js';
import { LeaseLost, type RelayLease } from './relay-lease.js';
import { runLane, type Lane, type RelayParts, type Session } from './lane.js';
import type { Outlet } from './port.js';

/** Events that arrive within this time are sent together. */
const GATHER_MS = 5;
const LOOK_EVENTS = 200;

export interface EventsLaneOptions extends CloudEventOptions {
  /** The shortest time between two records of progress; 5 s if not given. */
  readonly checkpointMs?: number;
}

/**
 * Sends every event of the log, in its order, except bookkeeping. One batch is on its way at a time, and
 * the next is sent only after all of it is acknowledged. So each record in a partition follows all earlier ones of that
 * partition, and a consumer that drops positions at or below the last one misses none, even if a batch is sent again.
 */
export function runEventsLane(parts: RelayParts, outlet: Outlet, options: EventsLaneOptions): Lane {
  const hasWork = async (lease: RelayLease): Promise<boolean> => {
    const next = await parts.log.readAll({ after: lease.position, limit: LOOK_EVENTS });
    return next.some(isRelayed);
  };
  return runLane('events', parts, outlet, { hasWork, session: (session) => relayEvents(parts, options, session) });
}

interface Page {
  readonly events: readonly RecordedEvent[];
  readonly taken: PromiseWithResolvers<void>;
}

async function relayEvents(parts: RelayParts, options: EventsLaneOptions, session: Session): Promise<void> {
  const { lease, signal, position } = session;
  const checkpoints = new Checkpoints(lease, parts.clock, options.checkpointMs);
  const wakeSignal = new WakeSignal();
  let page: Page | undefined;
  const subscription = parts.log.subscribe(
    { after: position, intervalMs: GATHER_MS },
    {
      onEvents(events) {
        page = { events, taken: Promise.withResolvers<void>() };
        wakeSignal.wake();
        return page.taken.promise;
      },
      onCaughtUp: (end) => session.passedOver(end),
    },
  );
  signal.addEventListener('abort', wakeSignal.wake, { once: true });
  let isLost = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      if (page !== undefined) {
        const { events, taken } = page;
        await sendPage(events, options, session, checkpoints);
        page = undefined;
        taken.resolve();
      }
      await checkpoints.record();
      await wakeSignal.wait(checkpoints.dueMs());
    }
  } catch (error) {
    isLost = error instanceof LeaseLost;
    throw error;
  } finally {
    signal.removeEventListener('abort', wakeSignal.wake);
    const closed = subscription.close();
    page?.taken.resolve();
    await closed;
    // Also after a failure: otherwise brokers that fail repeatedly before progress is due would undo it each time.
    if (!isLost) await checkpoints.record('now').catch(() => undefined);
  }
}

async function sendPage(
  events: readonly RecordedEvent[],
  options: CloudEventOptions,
  session: Session,
  checkpoints: Checkpoints,
): Promise<void> {
  const { sender, lease } = session;
  if (events.some((event) => lease.isOvertakenBy(event))) throw new LeaseLost('another relay has taken over');
  const wanted = events.filter(isRelayed).map((event) => ({ event, record: cloudEventOf(event, options) }));
  let sent = 0;
  for (const batch of batchesOf(wanted, ({ record }) => bytesOf(record))) {
    await sender.send(batch.map(({ record }) => record));
    sent += batch.length;
    const position = batch.at(-1)?.event.position ?? 0n;
    const next = wanted[sent]?.event.position;
    // Events of one append may share a position: it has been passed only when all of them have.
    const passed = next === position ? justBefore(position) : position;
    checkpoints.passed(batch.length, passed);
    session.acknowledged(batch.length, passed);
    await checkpoints.record();
  }
}

const isRelayed = ({ stream }: RecordedEvent): boolean => familyOf(stream)?.role !== 'bookkeeping';
