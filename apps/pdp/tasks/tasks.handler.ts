import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../../../libs/control/caller.js';
import type { TaskLane } from '../../../libs/decision-point/task-lane.js';
import { Tasks, type TaskToOpen } from '../../../libs/decision-point/tasks.js';
import { unwrap } from '../edge/problem.js';

export interface TaskReply {
  readonly lane: TaskLane;
  readonly position: bigint;
}

export type TaskRequest =
  | ({ readonly type: 'open' } & TaskToOpen)
  | { readonly type: 'close'; readonly taskId: string; readonly caller: Caller; readonly reason?: string | undefined };

export class TasksCommand extends Command<TaskReply> {
  constructor(readonly request: TaskRequest) {
    super();
  }
}

@CommandHandler(TasksCommand)
export class TasksHandler implements ICommandHandler<TasksCommand> {
  constructor(@Inject(Tasks) private readonly tasks: Tasks) {}

  async execute({ request }: TasksCommand): Promise<TaskReply> {
    return unwrap(
      request.type === 'open'
        ? await this.tasks.open(request)
        : await this.tasks.close(request.taskId, request.caller, request.reason),
    );
  }
}
