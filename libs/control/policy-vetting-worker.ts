import { workerData } from 'node:worker_threads';
import { askPolicies, freshCedar, preparePolicies } from '../policy/cedar.js';
import { checkPolicies, type CheckedPolicies } from '../policy/check.js';
import { ownPort } from '../threads/serve.js';
import { Effect } from '../vocabulary/words.js';

/** An error that is thrown here ends the thread, and the set is refused. */
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

ownPort().postMessage(vet(workerData as string));
