import type { TaskQuery } from '../contract/audit.js';
import type { DamagedTask, TaskSummary } from '../contract/evidence.js';
import type { LogReading } from '../event-log/port.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Refusal } from '../kernel/refusal.js';
import { toMs, type Instant } from '../kernel/time.js';
import { taskStatus } from '../task/decider.js';
import type { IndexReading } from './index/reading.js';
import { cursorOf, placeIn } from './cursor.js';
import { damagedTask, taskStateOf } from './traced-tasks.js';
import { recordedUser, resolvedUser, type Users } from './users.js';
import { families } from '../streams/catalogue.js';

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
  async find(
    { host, status }: TaskQuery,
    now: Instant,
    limit: number,
    cursor?: string,
  ): Promise<Result<{ items: (TaskSummary | DamagedTask)[]; next?: string }, Refusal>> {
    const before = placeIn(cursor);
    if (!before.ok) return err(before.error);
    const { taskIds, next } = await this.index.tasks({ host, status, atMs: toMs(now) }, limit, before.value);
    const items = await Promise.all(taskIds.map((taskId) => this.summaryOf(taskId, now)));
    return ok({ items: items.filter((item) => item !== undefined), ...(next && { next: cursorOf(next) }) });
  }

  private async summaryOf(taskId: string, now: Instant): Promise<TaskSummary | DamagedTask | undefined> {
    const events = await this.log.read(families.task.stream(taskId));
    const task = taskStateOf(events);
    if (task === undefined) return damagedTask(taskId, events);
    const { traceId, host, agent, scope, pins, openedAt, expiresAt } = task;
    const status = taskStatus(task, now);
    const shown = { taskId, traceId, host, agent, user: await resolvedUser(this.users, recordedUser(task)) };
    return { ...shown, scope, pins: [...pins.values()], openedAt, expiresAt, status };
  }
}
