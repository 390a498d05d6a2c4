import { Worker } from 'node:worker_threads';
import type { CheckedPolicies } from '../policy/check.js';

const TIMEOUT_MS = 10_000;
/** Half of the main thread's stack, so a set that can be evaluated here can be evaluated there, deeper in the stack. */
const STACK_MB = 0.5;
const MAX_HEAP_MB = 512;

/**
 * Checks a proposed policy set and evaluates it once, in a thread that ends afterwards. A hostile text can break the
 * engine that reads it, and nobody has reviewed this one yet. It answers within `TIMEOUT_MS`.
 */
export async function vetPolicies(text: string): Promise<CheckedPolicies> {
  const worker = new Worker(new URL('./policy-vetting-worker.js', import.meta.url), {
    workerData: text,
    resourceLimits: { stackSizeMb: STACK_MB, maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  const checked = await new Promise<CheckedPolicies>((resolve) => {
    const refuse = (message: string) => resolve({ errors: [{ message, line: 1, column: 1 }], names: [] });
    const timer = setTimeout(() => refuse('this takes too long to read'), TIMEOUT_MS);
    worker.once('message', resolve);
    worker.once('error', () => refuse('this is nested too deeply or too large to evaluate'));
    worker.once('exit', () => {
      clearTimeout(timer);
      refuse('this could not be read');
    });
  });
  await worker.terminate();
  return checked;
}
