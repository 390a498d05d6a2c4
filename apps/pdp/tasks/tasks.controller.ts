import { Body, Controller, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { taskView, type TaskView } from '../../../libs/audit/task-view.js';
import { LogTime } from '../../../libs/control/log-time.js';
import { Tasks } from '../../../libs/decision-point/tasks.js';
import { traceIdOf } from '../../../libs/kernel/ids.js';
import { CloseTask, OpenTask } from '../../../libs/task/request.js';
import { Uuid } from '../../../libs/vocabulary/ids.js';
import { Access, callerOf } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { createIdOf } from '../edge/idempotency.js';
import { Problem } from '../edge/problem.js';
import { traceparentOf } from '../http/traceparent.js';
import { INSTALLATION_SECRET, SETTINGS, type InstallationSecret, type Settings } from '../tokens.js';
import { openedAnswer, refuseLargeTask } from './opening.js';
import { TasksCommand } from './tasks.handler.js';

@Controller('v1/tasks')
export class TasksController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Tasks) private readonly tasks: Tasks,
    @Inject(LogTime) private readonly time: LogTime,
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(INSTALLATION_SECRET) private readonly secret: InstallationSecret,
  ) {}

  @Post()
  @Access(['host'])
  async open(@Req() request: FastifyRequest, @Body() body: unknown): Promise<Record<string, unknown>> {
    const wanted = parseInput(OpenTask, body);
    refuseLargeTask(wanted, this.settings.limits);
    const taskId = createIdOf(request, this.secret, 'task', wanted.taskId);
    const parentTraceId = traceIdOf(traceparentOf(request));
    const { lane, position } = await this.commands.execute(
      new TasksCommand({
        type: 'open',
        taskId,
        traceId: wanted.traceId,
        parentTraceId,
        caller: callerOf(request),
        request: wanted,
      }),
    );
    return openedAnswer(lane, position);
  }

  @Get(':taskId')
  @Access(['host'])
  async get(@Req() request: FastifyRequest, @Param('taskId') taskId: string): Promise<TaskView> {
    const lane = await this.tasks.get(parseInput(Uuid, taskId), callerOf(request).name);
    if (lane === undefined) throw new Problem('not_found', 'no such task');
    return taskView(lane.task, lane.content, this.time.now(), lane.position);
  }

  @Post(':taskId/close')
  @HttpCode(200)
  @Access(['host'])
  async close(
    @Req() request: FastifyRequest,
    @Param('taskId') taskId: string,
    @Body() body: unknown,
  ): Promise<Record<string, unknown>> {
    const { reason } = parseInput(CloseTask, body ?? {});
    const id = parseInput(Uuid, taskId);
    const { lane, position } = await this.commands.execute(
      new TasksCommand({ type: 'close', taskId: id, caller: callerOf(request), reason }),
    );
    return { ...taskView(lane.task, lane.content, this.time.now()), position: String(position) };
  }
}
