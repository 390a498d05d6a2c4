import type { TaskLane } from '#libs/decision-point/task-lane.js';
import type { OpenTask } from '#libs/task/request.js';
import { Problem } from '../http/problem.js';
import type { Settings } from '../settings.js';

/** The limit on a task that its schema does not know, over any protocol. */
export function refuseTooMany({ scope }: OpenTask, { scopeEntries }: Settings['limits']): void {
  if (scope.length > scopeEntries) throw new Problem('too_large', `a task has at most ${scopeEntries} scope entries`);
}

/** What the host learns of the task that it opened (`contract.md`, Tasks). */
export function openedAnswer({ task }: TaskLane, position: bigint): Record<string, unknown> {
  const { taskId, traceId, unresolved, expiresAt, epoch } = task;
  return { taskId, traceId, pins: [...task.pins.values()], unresolved, expiresAt, epoch, position: String(position) };
}
