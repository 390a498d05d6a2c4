import type { MemoryLog } from '../../libs/event-log/memory/memory-log.js';
import {
  LogOverloaded,
  LogUnavailable,
  type Batch,
  type EventLog,
  type Subscription,
} from '../../libs/event-log/port.js';
import type { Life, Scheduler } from './scheduler.js';

export interface HeldLog extends EventLog {
  /** Releases the subscriptions of a service that has died. */
  bury(): void;
}

/** The log as one life of the service sees it: every append waits at a gate on its way and on its way back. */
export function heldLog(
  inner: MemoryLog,
  scheduler: Scheduler,
  life: Life,
  more: {
    readonly onSent: (batch: Batch) => void;
    /** The batch may reach the store after this. */
    readonly onLate: (batch: Batch) => void;
    readonly isHeld: () => boolean;
    readonly isUnreadable: () => boolean;
  },
): HeldLog {
  const subscriptions: Subscription[] = [];
  const sentBefore = new WeakSet<Batch>();
  const lateOnes = new Set<{ readonly batch: Batch; isOver: boolean }>();
  const endLateOnes = ({ writes, checks }: Batch): void => {
    const streams = new Set([...writes, ...checks].map(({ stream }) => stream));
    for (const late of lateOnes) {
      if (!late.batch.writes.some(({ stream }) => streams.has(stream))) continue;
      late.isOver = true;
      lateOnes.delete(late);
    }
  };
  const reading = async <Answer>(read: () => Promise<Answer>): Promise<Answer> => {
    if (more.isUnreadable()) throw new LogUnavailable('an ordered fault');
    if (more.isHeld()) await scheduler.gate('read', life);
    return read();
  };
  return {
    async append(batch, recall = {}) {
      more.onSent(batch);
      let holder: 'store' | 'caller' | undefined;
      recall.takeBack = () => (holder ??= 'caller') === 'caller';
      const fate = await scheduler.gate('arrival', life);
      if ((holder ??= 'store') === 'caller') return { kind: 'unwritten', cause: 'taken back' };
      if (fate === 'overloaded') throw new LogOverloaded('an ordered fault');
      if (fate === 'late') {
        sentBefore.add(batch);
        // The batch no longer arrives after an answer about the same streams: that answer is final.
        const late = { batch, isOver: false };
        lateOnes.add(late);
        more.onLate(batch);
        const arrives = (): unknown => (late.isOver ? undefined : inner.append(batch));
        scheduler.gate('arrival', life).then(arrives);
        return { kind: 'unknown', cause: 'ordered: late' };
      }
      // If an earlier copy of a batch may have been written, it is never answered as refused.
      const made = fate === 'refused' && sentBefore.has(batch) ? 'failed' : fate;
      sentBefore.add(batch);
      if (made !== 'none') inner.failNext(made);
      const outcome = await inner.append(batch);
      if (outcome.kind === 'refused' || outcome.kind === 'committed') endLateOnes(batch);
      await scheduler.gate('answer', life);
      return outcome;
    },
    head: (stream) => reading(() => inner.head(stream)),
    read: (stream, after, limit) => reading(() => inner.read(stream, after, limit)),
    readAll: (options) => reading(() => inner.readAll(options)),
    last: (count) => reading(() => inner.last(count)),
    end: () => reading(() => inner.end()),
    payload: (stream, revision) => reading(() => inner.payload(stream, revision)),
    payloads: (places) => reading(() => inner.payloads(places)),
    blob: (digest) => reading(() => inner.blob(digest)),
    subscribe(options, subscriber) {
      const subscription = inner.subscribe(options, {
        onEvents: async (events) => {
          await scheduler.gate('delivery', life);
          await subscriber.onEvents(events);
        },
        onCaughtUp: (position) => {
          if (!life.dead) subscriber.onCaughtUp(position);
        },
      });
      subscriptions.push(subscription);
      return subscription;
    },
    close: async () => undefined,
    bury() {
      for (const subscription of subscriptions) subscription.close().catch(() => undefined);
    },
  };
}
