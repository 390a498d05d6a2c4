import type { NoContent, TaskView } from '../contract/tasks.js';
import type { TaskContent } from '../decision-point/task-lane.js';
import { defined } from '../kernel/defined.js';
import type { Instant } from '../kernel/time.js';
import { taskStatus, type TaskState } from '../task/decider.js';

/** The wire shape of a task. A reason (`NoContent`) replaces content that is shredded or damaged. */
export function taskView(task: TaskState, content: TaskContent | NoContent, now: Instant, position?: bigint): TaskView {
  const { taskId, traceId, unresolved, expiresAt, epoch, host, agent, user, scope } = task;
  const { purpose, attributes } = typeof content === 'string' ? { purpose: content, attributes: content } : content;
  return defined({
    taskId,
    traceId,
    pins: [...task.pins.values()],
    unresolved,
    expiresAt,
    epoch,
    position: position === undefined ? undefined : String(position),
    host,
    agent,
    user: { id: user.id, roles: user.roles, attributes, attestedBy: user.attestedBy },
    purpose,
    scope,
    status: taskStatus(task, now),
  });
}
