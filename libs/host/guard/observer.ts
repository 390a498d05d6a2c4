import { setTimeout as delay } from 'node:timers/promises';
import type { ObservedDefinition, ReadDefinition } from './definition.js';

/** What a server declares, as this host saw it last. */
export interface Observer {
  /** Reads it for the first time. Throws where it cannot be read. */
  begin(stopped: AbortSignal): Promise<ObservedDefinition>;
  /** Reads it again; calls that ask for the digest meanwhile wait. `submit` tells of it also where it has not changed. */
  again(why?: 'submit'): void;
  /** Undefined where it could not be read, or not within that time: unknown is not unchanged. */
  digest(withinMs?: number): Promise<string | undefined>;
}

/** A server that hangs has no definition. */
const OBSERVE_MS = 30_000;
/** A server need not say that it has changed: what was read longer ago is read again before the next call. */
const FRESH_MS = 60_000;
/** What could not be read is tried again by the next call after this. */
const RETRY_MS = 500;

/** `onNews` is told of each definition that is another one than before. */
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
    /** One at a time, and one that waits: what changes while it reads is seen by the next. */
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
