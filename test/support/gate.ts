import type { Batch, EventLog } from '../../libs/event-log/port.js';

/** How long an append that a test waits for may take to come. */
const ARRIVES_MS = 5000;

/** A log whose appends can be held back on their way to the store, as a slow disk or network would. */
export interface Gate {
  /** For `wrapLog` of `startService`. */
  wrap(log: EventLog): EventLog;
  /** Holds the next append that writes to a stream whose name begins so. Resolves when it has arrived. */
  holdNext(streamPrefix: string): { arrived: Promise<void>; release(): void };
}

export function gate(): Gate {
  const holding: { prefix: string; arrive: () => void; released: Promise<void> }[] = [];
  return {
    wrap: (log) => ({
      append: async (batch: Batch) => {
        const at = holding.findIndex(({ prefix }) => batch.writes.some(({ stream }) => stream.startsWith(prefix)));
        const [held] = at < 0 ? [] : holding.splice(at, 1);
        held?.arrive();
        await held?.released;
        return log.append(batch);
      },
      head: (stream) => log.head(stream),
      read: (stream, after, limit) => log.read(stream, after, limit),
      readAll: (options) => log.readAll(options),
      last: (count) => log.last(count),
      end: () => log.end(),
      subscribe: (options, subscriber) => log.subscribe(options, subscriber),
      payload: (stream, revision) => log.payload(stream, revision),
      payloads: (places) => log.payloads(places),
      blob: (digest) => log.blob(digest),
      close: () => log.close(),
    }),
    holdNext(prefix) {
      const arrived = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      const late = setTimeout(() => arrived.reject(new Error(`nothing came for ${prefix}`)), ARRIVES_MS);
      const arrive = (): void => {
        clearTimeout(late);
        arrived.resolve();
      };
      holding.push({ prefix, arrive, released: released.promise });
      return { arrived: arrived.promise, release: released.resolve };
    },
  };
}
