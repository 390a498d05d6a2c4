import type { TaskQuery } from '../contract/audit.js';
import type { DamagedTask, TaskSummary } from '../contract/evidence.js';
import type { LogReading } from '../event-log/port.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Refusal } from '../kernel/refusal.js';
import { toMs, type Instant } from '../kernel/time.js';
import { taskStatus } from '../task/decider.js';
import type { IndexReading } from './index/reading.js';
import { cursorOf, placeIn } from './cursor.js';
import { integrityOf } from './task-view.js';
import { damagedTask, taskStateOf } from './traced-tasks.js';
import { recordedUser, resolvedUser, type Users } from './users.js';
import { families } from '../streams/catalogue.js';

interface Asked {
  readonly query: TaskQuery;
  readonly now: Instant;
  readonly page: { readonly limit: number; readonly cursor: string | undefined };
}

/** Finds tasks of any host. */
export class TaskAudit {
  constructor(
    private readonly log: LogReading,
    private readonly index: IndexReading,
    private readonly users: Users,
  ) {}

  /**
   * A page of tasks, newest first. `next` is the opaque cursor of the following page. Throws `LogUnavailable`,
   * `IndexUnavailable`, `KeyringUnavailable`.
   */
  async find({
    query: { host, status },
    now,
    page: { limit, cursor },
  }: Asked): Promise<Result<{ items: (TaskSummary | DamagedTask)[]; next?: string }, Refusal>> {
    const before = placeIn(cursor);
    if (!before.ok) return err(before.error);
    const { taskIds, next } = await this.index.tasks({ host, status, atMs: toMs(now) }, limit, before.value);
    const taints = await this.index.taints(taskIds);
    const items = await Promise.all(taskIds.map((taskId, index) => this.summaryOf(taskId, now, taints[index])));
    return ok({ items: items.filter((item) => item !== undefined), ...(next && { next: cursorOf(next) }) });
  }

  private async summaryOf(
    taskId: string,
    now: Instant,
    taintedAt: Instant | undefined,
  ): Promise<TaskSummary | DamagedTask | undefined> {
    const events = await this.log.read(families.task.stream(taskId));
    const task = taskStateOf(events);
    if (task === undefined) return damagedTask(taskId, events);
    const { traceId, host, agent, scope, pins, openedAt, expiresAt } = task;
    const status = taskStatus(task, now);
    const shown = { taskId, traceId, host, agent, user: await resolvedUser(this.users, recordedUser(task)) };
    return { ...shown, scope, pins: [...pins.values()], openedAt, expiresAt, status, ...integrityOf(taintedAt) };
  }
}
