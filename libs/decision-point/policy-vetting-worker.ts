import { parentPort, workerData } from 'node:worker_threads';
import { askPolicies, freshCedar, parsePolicies, preparePolicies } from '#libs/policy/cedar.js';
import { Effect } from '#libs/vocabulary/words.js';
import type { Vetted } from './policy-vetting.js';

/** Anything that throws here ends the thread, which refuses the set. */
function vet(text: string): Vetted {
  const cedar = freshCedar();
  const parsed = parsePolicies(cedar, text);
  if (!parsed.ok) return parsed.error;
  preparePolicies(cedar, 'vetted', text);
  for (const effect of Effect.options) {
    askPolicies(cedar, 'vetted', {
      user: { id: 'vetting', roles: [], attributes: {} },
      effect,
      capability: 'vetting',
      category: 'vetting',
      operation: 'vetting',
      context: { purpose: '', agent: '', host: 'vetting', sensitivity: 'public', arguments: {} },
    });
  }
  return [];
}

parentPort?.postMessage(vet(workerData as string));
