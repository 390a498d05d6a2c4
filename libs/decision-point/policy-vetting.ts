import { Worker } from 'node:worker_threads';
import { err, ok, type Result } from '#libs/kernel/result.js';

/** What the vetting thread answers: the errors that Cedar found; none where the set may be proposed. */
export type Vetted = readonly string[];

const TIMEOUT_MS = 10_000;
/** Half of what the main thread has: what fits in here with its evaluation fits there with all that is around it. */
const STACK_MB = 0.5;
const MAX_HEAP_MB = 512;

/**
 * Parses a proposed policy set and asks it once, in a thread of its own that is thrown away: a text can be made to break
 * the engine that reads it, and nobody has reviewed this one yet. The errors are Cedar's words, bounded in number.
 */
export async function vetPolicies(text: string): Promise<Result<void, Vetted>> {
  const worker = new Worker(new URL('./policy-vetting-worker.js', import.meta.url), {
    workerData: text,
    resourceLimits: { stackSizeMb: STACK_MB, maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  const errors = await new Promise<Vetted>((resolve) => {
    const timer = setTimeout(() => resolve(['takes too long to read']), TIMEOUT_MS);
    worker.once('message', resolve);
    worker.once('error', () => resolve(['is nested too deeply or too large to evaluate']));
    worker.once('exit', () => {
      clearTimeout(timer);
      resolve(['could not be read']);
    });
  });
  await worker.terminate();
  return errors.length === 0 ? ok(undefined) : err(errors);
}
