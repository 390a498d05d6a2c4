import { parentPort, workerData } from 'node:worker_threads';
import { askPolicies, freshCedar, preparePolicies } from '../policy/cedar.js';
import { checkPolicies, type CheckedPolicies } from '../policy/check.js';
import { Effect } from '../vocabulary/words.js';

/** Anything that throws here ends the thread, which refuses the set. */
function vet(text: string): CheckedPolicies {
  const cedar = freshCedar();
  const checked = checkPolicies(cedar, text);
  if (checked.errors.length > 0) return checked;
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
  return checked;
}

parentPort?.postMessage(vet(workerData as string));
