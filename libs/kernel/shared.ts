/**
 * One at a time, for as many as ask: who comes while one is made gets the next one, together with all who came
 * meanwhile. What they get was begun after they asked.
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
