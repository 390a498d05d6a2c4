import { Controller, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AnswerOf } from '../../../libs/contract/operation.js';
import { live, ready } from '../../../libs/contract/health.js';
import { LogTime } from '../../../libs/control/log-time.js';
import { defined } from '../../../libs/kernel/defined.js';
import type { Asked } from '../edge/asked.js';
import { DamageWatch } from '../observability/damage-watch.js';
import { DiskWatch } from '../observability/disk-watch.js';
import { Handles } from '../http/handles.js';
import { RELAY, SIEM, type Relay, type Siem } from '../tokens.js';
import { Readiness } from './readiness.js';

@Controller()
export class HealthController {
  constructor(
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(LogTime) private readonly time: LogTime,
    @Inject(RELAY) private readonly relay: Relay | undefined,
    @Inject(SIEM) private readonly siem: Siem | undefined,
    @Inject(DiskWatch) private readonly disk: DiskWatch,
    @Inject(DamageWatch) private readonly damage: DamageWatch,
  ) {}

  @Handles(live)
  live(): AnswerOf<typeof live> {
    return { status: 'live' };
  }

  /** 503 if the service could not allow a call now. */
  @Handles(ready)
  async ready(
    _: Asked<typeof ready>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AnswerOf<typeof ready>> {
    const reason = await this.readiness.whyNot();
    const kafka = this.relay?.details();
    const siem = this.siem?.details();
    const clock = { serviceTime: this.time.now(), aheadMs: Math.round(this.time.aheadMs()) };
    const disk = this.disk.current;
    const damaged = this.damage.current;
    if (reason === undefined) return defined({ status: 'ready', clock, kafka, siem, disk, damaged });
    reply.status(503);
    return defined({ status: 'not_ready', reason, clock, kafka, siem, disk, damaged });
  }
}
