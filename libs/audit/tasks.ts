import { z } from 'zod';
import { foldTask } from '../decision-point/task-lanes.js';
import type { EventLog } from '../event-log/port.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Refusal } from '../kernel/refusal.js';
import { toMs, type Instant } from '../kernel/time.js';
import { TaskStatus, taskStatus } from '../task/decider.js';
import { NameId } from '../vocabulary/ids.js';
import type { CallIndex } from './index/call-index.js';
import { cursorOf, placeIn } from './cursor.js';
import type { TaskView } from './task-view.js';

/** The query of `GET /v1/audit/tasks`; all conditions that are there must hold. */
export const TaskQuery = z.object({ host: NameId.optional(), status: TaskStatus.optional() });
export type TaskQuery = z.infer<typeof TaskQuery>;

/** A task without its content: purpose and user attributes are in its trace. */
export interface TaskSummary extends Pick<
  TaskView,
  'taskId' | 'traceId' | 'host' | 'agent' | 'scope' | 'pins' | 'expiresAt' | 'status'
> {
  readonly user: { readonly id: string; readonly roles: readonly string[]; readonly attestedBy: string };
  readonly openedAt: Instant;
}

/** Finds tasks, of any host. */
export class TaskAudit {
  constructor(
    private readonly log: EventLog,
    private readonly index: CallIndex,
  ) {}

  /** A page of tasks, the newest first; `next` is the opaque cursor of the following page. Throws `LogUnavailable`, `IndexUnavailable`. */
  async find(
    { host, status }: TaskQuery,
    now: Instant,
    limit: number,
    cursor?: string,
  ): Promise<Result<{ items: TaskSummary[]; next?: string }, Refusal>> {
    const before = placeIn(cursor);
    if (!before.ok) return err(before.error);
    const { taskIds, next } = await this.index.tasks({ host, status, atMs: toMs(now) }, limit, before.value);
    const items = await Promise.all(taskIds.map((taskId) => this.summaryOf(taskId, now)));
    return ok({ items: items.filter((item) => item !== undefined), ...(next && { next: cursorOf(next) }) });
  }

  private async summaryOf(taskId: string, now: Instant): Promise<TaskSummary | undefined> {
    const task = foldTask(await this.log.read(`task-${taskId}`));
    if (task === undefined) return undefined;
    const { traceId, host, agent, user, scope, pins, openedAt, expiresAt } = task;
    const { id, roles, attestedBy } = user;
    const status = taskStatus(task, now);
    const shown = { taskId, traceId, host, agent, user: { id, roles, attestedBy } };
    return { ...shown, scope, pins: [...pins.values()], openedAt, expiresAt, status };
  }
}
