import { Controller, Inject } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { taskView } from '../../../libs/audit/task-view.js';
import { closeTask, getTask, openTask, type TaskOpened, type TaskView } from '../../../libs/contract/tasks.js';
import { LogTime } from '../../../libs/control/log-time.js';
import type { TaskLane } from '../../../libs/decision-point/task-lane.js';
import { Tasks } from '../../../libs/decision-point/tasks.js';
import { traceIdOf } from '../../../libs/kernel/ids.js';
import type { Asked } from '../edge/asked.js';
import { createIdOf } from '../edge/idempotency.js';
import { Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { INSTALLATION_SECRET, SETTINGS, type InstallationSecret, type Settings } from '../tokens.js';
import { openedAnswer, refuseLargeTask } from './opening.js';
import { TasksCommand } from './tasks.handler.js';

@Controller()
export class TasksController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Tasks) private readonly tasks: Tasks,
    @Inject(LogTime) private readonly time: LogTime,
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(INSTALLATION_SECRET) private readonly secret: InstallationSecret,
  ) {}

  @Handles(openTask)
  async open(asked: Asked<typeof openTask>): Promise<TaskOpened> {
    const { body: request, caller } = asked;
    refuseLargeTask(request, this.settings.limits);
    const taskId = createIdOf(asked, this.secret, 'task', request.taskId);
    const parentTraceId = traceIdOf(asked.traceparent);
    const task = { type: 'open', taskId, traceId: request.traceId, parentTraceId, caller, request } as const;
    const { lane, position } = await this.commands.execute(new TasksCommand(task));
    return openedAnswer(lane, position);
  }

  @Handles(getTask)
  async get({ params: { taskId }, caller }: Asked<typeof getTask>): Promise<TaskView> {
    const lane = await this.tasks.get(taskId, caller.name);
    if (lane === undefined) throw new Problem('not_found', 'no such task');
    return this.viewOf(lane, lane.position);
  }

  @Handles(closeTask)
  async close({ params: { taskId }, body, caller }: Asked<typeof closeTask>): Promise<TaskView> {
    const { lane, position } = await this.commands.execute(
      new TasksCommand({ type: 'close', taskId, caller, reason: body?.reason }),
    );
    return this.viewOf(lane, position);
  }

  private viewOf({ task, content, calls }: TaskLane, position: bigint | undefined): TaskView {
    return taskView(task, content, this.time.now(), { position, taintedAt: calls.taintedAt });
  }
}
