import { setTimeout as delay } from 'node:timers/promises';
import type { DirectiveFeed } from '../port.js';

/** What one connection hands over. `alive` is called whenever bytes arrive, also such that make no beat. */
export type OpenWatch = (
  sinceEpoch: number | undefined,
  signal: AbortSignal,
  alive: () => void,
) => AsyncIterable<Readonly<Record<string, unknown>>>;

export interface WatchTiming {
  /** The service sends a beat at least as often; after three times as long without a byte the connection is dropped. */
  readonly heartbeatMs?: number;
  /** Longest wait between two attempts to connect. */
  readonly maxWaitMs?: number;
}

const MIN_WAIT_MS = 50;

/** A watch that is taken up again for as long as nobody closes it, after waits that grow and are spread by chance. */
export function resubscribing(open: OpenWatch, timing: WatchTiming = {}): DirectiveFeed['follow'] {
  const { heartbeatMs = 1000, maxWaitMs = 2000 } = timing;
  return (sinceEpoch, listener) => {
    const closing = new AbortController();
    const isClosed = () => closing.signal.aborted;
    let waitMs = MIN_WAIT_MS;

    const connection = async (): Promise<string> => {
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(new Error('nothing was heard')), 3 * heartbeatMs);
      try {
        const signal = AbortSignal.any([closing.signal, silence.signal]);
        for await (const beat of open(sinceEpoch(), signal, () => timer.refresh())) {
          if (isClosed()) break;
          if (silence.signal.aborted) throw silence.signal.reason;
          waitMs = MIN_WAIT_MS;
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
        // Many hosts lose their service in the same moment, and are not to come back in the same one.
        await delay(waitMs * (0.5 + Math.random()), undefined, { signal: closing.signal }).catch(() => undefined);
        waitMs = Math.min(waitMs * 2, maxWaitMs);
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

/** Short, and without an address that might hold a secret. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const cause = error.cause instanceof Error ? error.cause : error;
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : error.message;
}
