import { Controller, Inject } from '@nestjs/common';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import { eraseUser, shredTask } from '../../../libs/contract/retention.js';
import { Shredder } from '../../../libs/decision-point/shredder.js';
import { Eraser } from '../../../libs/retention/eraser.js';
import type { Asked } from '../edge/asked.js';
import { unwrap } from '../edge/problem.js';
import { Handles } from '../http/handles.js';

/** Erases content, for admins only. */
@Controller()
export class RetentionController {
  constructor(
    @Inject(Shredder) private readonly shredder: Shredder,
    @Inject(Eraser) private readonly eraser: Eraser,
  ) {}

  @Handles(shredTask)
  async shred({ params, body, caller }: Asked<typeof shredTask>): Promise<AnswerOf<typeof shredTask>> {
    const { taskId } = params;
    const shredding = { cause: 'task', reason: body.reason } as const;
    const { position } = unwrap(await this.shredder.shred([taskId], caller, shredding));
    return { taskId, position: String(position) };
  }

  @Handles(eraseUser)
  async erase({ params, body, caller }: Asked<typeof eraseUser>): Promise<AnswerOf<typeof eraseUser>> {
    const { shreddedTasks, position } = unwrap(await this.eraser.erase(params.user, caller, body.reason));
    return { shreddedTasks, position: String(position) };
  }
}
