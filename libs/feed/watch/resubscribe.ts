import { setTimeout as delay } from 'node:timers/promises';
import { Backoff } from '../../kernel/backoff.js';
import type { DirectiveFeed } from '../port.js';

/** Opens one connection and yields its beats. Calls `alive` whenever bytes arrive, even if they make no beat. */
export type OpenWatch = (
  sinceEpoch: number | undefined,
  signal: AbortSignal,
  alive: () => void,
) => AsyncIterable<Readonly<Record<string, unknown>>>;

export interface WatchTiming {
  /** The service sends a beat at least this often. After three times as long without a byte the connection is dropped. */
  readonly heartbeatMs?: number;
  /** Longest wait between two attempts to connect, in milliseconds. */
  readonly maxWaitMs?: number;
}

const MIN_WAIT_MS = 50;

/** A watch that reconnects until it is closed, after waits that grow. */
export function resubscribing(open: OpenWatch, timing: WatchTiming = {}): DirectiveFeed['follow'] {
  const { heartbeatMs = 1000, maxWaitMs = 2000 } = timing;
  return (sinceEpoch, listener) => {
    const closing = new AbortController();
    const isClosed = () => closing.signal.aborted;
    const backoff = new Backoff(MIN_WAIT_MS, maxWaitMs);

    const connection = async (): Promise<string> => {
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(new Error('nothing was heard')), 3 * heartbeatMs);
      try {
        const signal = AbortSignal.any([closing.signal, silence.signal]);
        for await (const beat of open(sinceEpoch(), signal, () => timer.refresh())) {
          if (isClosed()) break;
          if (silence.signal.aborted) throw silence.signal.reason;
          backoff.reset();
          listener.onBeat(beat);
        }
        return 'the service ended the watch';
      } catch (error) {
        return silence.signal.aborted ? 'nothing was heard' : whyOf(error);
      } finally {
        clearTimeout(timer);
      }
    };

    const following = (async () => {
      while (!isClosed()) {
        const reason = await connection();
        if (isClosed()) return;
        listener.onInterrupted(reason);
        // Chance spreads the waits: hosts that lose their service together do not come back together.
        const waitMs = backoff.nextMs() * (0.5 + Math.random());
        await delay(waitMs, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    })();

    return {
      async close() {
        closing.abort();
        await following;
      },
    };
  };
}

/** A short reason without the address, which may hold a secret. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const cause = error.cause instanceof Error ? error.cause : error;
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : error.message;
}
