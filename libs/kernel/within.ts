/** A piece of work took longer than it may. It may still go on: whoever gave up on it lets go of what it holds. */
export class TookTooLong extends Error {
  override readonly name = 'TookTooLong';
}

/** The outcome of `work`; `TookTooLong` after `limitMs`, the signal's reason at once. `what` names it for operators. */
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
