import type { TaskOpened } from '../../../libs/contract/tasks.js';
import type { TaskLane } from '../../../libs/decision-point/task-lane.js';
import { canonicalJson } from '../../../libs/kernel/canonical-json.js';
import { MAX_ATTRIBUTES_BYTES, type OpenTask } from '../../../libs/task/request.js';
import { Problem } from '../edge/problem.js';
import type { Settings } from '../settings.js';

/** Enforces the limits on a task that its schema does not express, over any protocol. Throws `Problem`. */
export function refuseLargeTask({ scope, user: { attributes } }: OpenTask, { scopeEntries }: Settings['limits']): void {
  if (scope.length > scopeEntries) throw new Problem('too_large', `a task has at most ${scopeEntries} scope entries`);
  if (attributes !== undefined && Buffer.byteLength(canonicalJson(attributes)) > MAX_ATTRIBUTES_BYTES) {
    throw new Problem('too_large', `the attributes of a user are larger than ${MAX_ATTRIBUTES_BYTES} bytes`);
  }
}

/** The answer to the host that opened a task (`contract.md`, Tasks). */
export function openedAnswer({ task }: TaskLane, position: bigint): TaskOpened {
  const { taskId, traceId, unresolved, expiresAt, epoch } = task;
  return { taskId, traceId, pins: [...task.pins.values()], unresolved, expiresAt, epoch, position: String(position) };
}
