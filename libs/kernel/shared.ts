/**
 * Runs `make` one at a time for any number of callers. Callers that arrive during a run share the next one. So the
 * result that a caller gets was begun after its call.
 */
export function shared<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<Made> | undefined;
  return () => {
    next ??= running.then(() => {
      next = undefined;
      const made = make();
      running = made.catch(() => undefined);
      return made;
    });
    return next;
  };
}
