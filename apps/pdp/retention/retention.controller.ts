import { Controller, Inject } from '@nestjs/common';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import { shredTask } from '../../../libs/contract/retention.js';
import { Shredder } from '../../../libs/decision-point/shredder.js';
import type { Asked } from '../edge/asked.js';
import { unwrap } from '../edge/problem.js';
import { Handles } from '../http/handles.js';

/** Erases content, for admins only. */
@Controller()
export class RetentionController {
  constructor(@Inject(Shredder) private readonly shredder: Shredder) {}

  @Handles(shredTask)
  async shred({ params, body, caller }: Asked<typeof shredTask>): Promise<AnswerOf<typeof shredTask>> {
    const { taskId } = params;
    const shredding = { cause: 'task', reason: body.reason } as const;
    const { position } = unwrap(await this.shredder.shred([taskId], caller, shredding));
    return { taskId, position: String(position) };
  }
}
