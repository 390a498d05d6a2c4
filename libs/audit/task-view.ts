import type { TaskContent } from '../decision-point/task-lane.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Instant } from '../kernel/time.js';
import { taskStatus, type Pin, type TaskState, type TaskStatus, type Unresolved } from '../task/decider.js';
import type { ScopeEntry } from '../task/scope.js';
import type { NoContent } from './contents.js';

/** A task as the wire shows it (`contract.md`, Tasks). */
export interface TaskView {
  readonly taskId: string;
  readonly traceId: string;
  readonly pins: readonly Pin[];
  readonly unresolved: readonly Unresolved[];
  readonly expiresAt: Instant;
  readonly epoch: number;
  /** Of its TaskOpened, where it is known. */
  readonly position?: string;
  readonly host: string;
  readonly agent: string;
  readonly user: {
    readonly id: string;
    readonly roles: readonly string[];
    readonly attributes: JsonObject | NoContent;
    readonly attestedBy: string;
  };
  readonly purpose: string;
  readonly scope: readonly ScopeEntry[];
  readonly status: TaskStatus;
}

/** Spells a task out. Where its content is gone or is not what was committed to, that word stands in its place. */
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
