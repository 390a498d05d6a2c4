import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../../../libs/control/caller.js';
import { ControlPlane } from '../../../libs/control/control-plane.js';
import { directiveWrite } from '../../../libs/control/stops.js';
import type { DirectiveCommand } from '../../../libs/directive/decider.js';
import { ok } from '../../../libs/kernel/result.js';
import { unwrap } from '../edge/problem.js';

type WithoutCause<Type> = Type extends unknown ? Omit<Type, 'actor' | 'time' | 'cause' | 'withCause'> : never;
export type DirectiveRequest = WithoutCause<DirectiveCommand>;

export interface DirectiveReply {
  readonly position: bigint;
  /** The epoch after the command. */
  readonly epoch: number;
}

export class DirectivesCommand extends Command<DirectiveReply> {
  constructor(
    readonly actor: Caller,
    readonly request: DirectiveRequest,
  ) {
    super();
  }
}

/** Issues and lifts directives. From the commit on, no allow can be recorded against the directive. */
@CommandHandler(DirectivesCommand)
export class DirectivesHandler implements ICommandHandler<DirectivesCommand> {
  constructor(@Inject(ControlPlane) private readonly plane: ControlPlane) {}

  async execute({ actor, request }: DirectivesCommand): Promise<DirectiveReply> {
    let epoch = 0;
    const { position } = unwrap(
      await this.plane.run(actor, (time) => {
        const write = directiveWrite(this.plane.view, { ...request, actor: actor.name, time });
        if (!write.ok) return write;
        epoch = write.value.expected + write.value.events.length;
        return ok({ writes: [write.value] });
      }),
    );
    return { position, epoch };
  }
}
