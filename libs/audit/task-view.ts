import type { NoContent, TaskView } from '../contract/tasks.js';
import { defined } from '../kernel/defined.js';
import type { Instant } from '../kernel/time.js';
import type { TaskContent } from '../task/content.js';
import { taskStatus, type TaskState } from '../task/decider.js';
import { recordedUser } from './users.js';

/** Facts about a task from elsewhere than its stream and its content. */
interface TaskFacts {
  readonly position?: bigint | undefined;
  /** The id behind a pseudonym. */
  readonly userId?: string | undefined;
  /** When a response first held an instruction. */
  readonly taintedAt?: Instant | undefined;
}

/**
 * The wire shape of a task. A reason (`NoContent`) replaces content that is shredded or damaged.
 */
export function taskView(
  task: TaskState,
  content: TaskContent | NoContent,
  now: Instant,
  { position, userId = typeof content === 'string' ? undefined : content.userId, taintedAt }: TaskFacts = {},
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
    ...integrityOf(taintedAt),
  });
}

/** The integrity of a task, and since when it is tainted. */
export const integrityOf = (taintedAt: Instant | undefined): Pick<TaskView, 'integrity' | 'taintedAt'> =>
  taintedAt === undefined ? { integrity: 'clean' } : { integrity: 'tainted', taintedAt };
