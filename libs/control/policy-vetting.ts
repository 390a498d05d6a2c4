import type { CheckedPolicies } from '../policy/check.js';
import { startWorker } from '../threads/start-worker.js';

const TIMEOUT_MS = 10_000;
/** Half of the main thread's stack, so a set that can be evaluated here can be evaluated there, deeper in the stack. */
const STACK_MB = 0.5;
const MAX_HEAP_MB = 512;

/**
 * Checks a proposed policy set and evaluates it once, in a thread that ends afterwards. A hostile text can break the
 * engine that reads it, and nobody has reviewed this one yet. It answers within `TIMEOUT_MS`.
 */
export async function vetPolicies(text: string): Promise<CheckedPolicies> {
  const { promise, resolve } = Promise.withResolvers<CheckedPolicies>();
  const refuse = (message: string) => resolve({ errors: [{ message, line: 1, column: 1 }], names: [] });
  const worker = startWorker<CheckedPolicies>(
    {
      script: new URL('./policy-vetting-worker.js', import.meta.url),
      data: text,
      limits: { stackSizeMb: STACK_MB, maxOldGenerationSizeMb: MAX_HEAP_MB },
    },
    {
      onMessage: resolve,
      onEnd: (error) =>
        refuse(error === undefined ? 'this could not be read' : 'this is nested too deeply or too large to evaluate'),
    },
  );
  const timer = setTimeout(() => refuse('this takes too long to read'), TIMEOUT_MS);
  const checked = await promise;
  clearTimeout(timer);
  await worker.terminate();
  return checked;
}
