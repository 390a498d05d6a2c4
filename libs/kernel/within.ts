/**
 * A piece of work exceeded its time limit. It may still be running: the caller that gave up on it releases its
 * resources.
 */
export class TookTooLong extends Error {
  override readonly name = 'TookTooLong';
}

/**
 * The outcome of `work`. Rejects with `TookTooLong` after `limitMs`, and with the signal's reason at once. `what` names
 * the work for operators.
 */
export function within<Value>(
  limitMs: number,
  what: string,
  work: Promise<Value>,
  signal?: AbortSignal,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(reject)(new TookTooLong(`${what} took longer than ${limitMs} ms`)), limitMs);
    const giveUp = (): void => settle(reject)(signal?.reason as Error);
    const settle =
      <Outcome>(end: (outcome: Outcome) => void) =>
      (outcome: Outcome): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        end(outcome);
      };
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted === true) giveUp();
    work.then(settle(resolve), settle(reject));
  });
}
