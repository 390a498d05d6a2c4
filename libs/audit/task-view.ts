import type { NoContent, TaskView } from '../contract/tasks.js';
import { defined } from '../kernel/defined.js';
import type { Instant } from '../kernel/time.js';
import type { TaskContent } from '../task/content.js';
import { taskStatus, type TaskState } from '../task/decider.js';
import { recordedUser } from './users.js';

/**
 * The wire shape of a task. A reason (`NoContent`) replaces content that is shredded or damaged. `userId` is the id
 * behind a pseudonym, if it is known from elsewhere than the content.
 */
export function taskView(
  task: TaskState,
  content: TaskContent | NoContent,
  now: Instant,
  position?: bigint,
  userId = typeof content === 'string' ? undefined : content.userId,
): TaskView {
  const { taskId, traceId, unresolved, expiresAt, epoch, host, agent, scope, approve } = task;
  const user = recordedUser(task);
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
    user: { ...user, id: userId ?? user.id, attributes },
    purpose,
    scope,
    approve,
    status: taskStatus(task, now),
  });
}
