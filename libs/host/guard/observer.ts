import { setTimeout as delay } from 'node:timers/promises';
import type { ObservedDefinition, ReadDefinition } from './definition.js';

/** The definition of a server, as this host last read it. */
export interface Observer {
  /** Reads it for the first time. Rejects if it cannot be read. */
  begin(stopped: AbortSignal): Promise<ObservedDefinition>;
  /** Reads it again; meanwhile `digest` waits. With `submit`, `onNews` is called even if nothing has changed. */
  again(why?: 'submit'): void;
  /** Undefined if it could not be read, or not within `withinMs`: unknown does not mean unchanged. */
  digest(withinMs?: number): Promise<string | undefined>;
}

/** A server that takes longer has no definition. */
const OBSERVE_MS = 30_000;
/** A server may change without saying so: an older definition is read again before the next call. */
const FRESH_MS = 60_000;
/** After a failed reading, the next call after this time reads again. */
const RETRY_MS = 500;

/** Calls `onNews` with each definition that differs from the one before. */
export function observerOf(
  read: ReadDefinition,
  closing: AbortSignal,
  onNews: (seen: ObservedDefinition) => void,
  nowMs: () => number = () => performance.now(),
): Observer {
  let latest: Promise<ObservedDefinition | undefined> | undefined;
  let isNext = false;
  let readMs = Number.NEGATIVE_INFINITY;
  const observe = (stopped = closing) => {
    readMs = nowMs();
    return read(AbortSignal.any([closing, stopped, AbortSignal.timeout(OBSERVE_MS)]));
  };
  const observer: Observer = {
    begin(stopped) {
      const first = observe(stopped);
      latest = first.catch(() => undefined);
      return first;
    },
    /** One reading at a time, and one that waits: it sees a change that happens during the first. */
    again(why) {
      if (isNext || latest === undefined || closing.aborted) return;
      isNext = true;
      const before = latest;
      latest = (async () => {
        const last = await before;
        isNext = false;
        const seen = await observe().catch(() => undefined);
        if (seen === undefined) readMs = nowMs() - FRESH_MS + RETRY_MS;
        if (seen !== undefined && (why === 'submit' || seen.digest !== last?.digest)) onNews(seen);
        return seen;
      })();
    },
    async digest(withinMs) {
      if (nowMs() - readMs > FRESH_MS) observer.again();
      if (withinMs === undefined) return (await latest)?.digest;
      const over = new AbortController();
      const signal = AbortSignal.any([over.signal, closing]);
      const seen = await Promise.race([latest, delay(withinMs, undefined, { signal }).catch(() => undefined)]);
      over.abort();
      return seen?.digest;
    },
  };
  return observer;
}
