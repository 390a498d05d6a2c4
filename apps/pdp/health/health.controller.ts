import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Readiness } from './readiness.js';
import { Access } from '../edge/access.js';
import { RELAY, type Relay } from '../tokens.js';

@Controller('health')
export class HealthController {
  constructor(
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(RELAY) private readonly relay: Relay | undefined,
  ) {}

  /** The process runs. */
  @Get('live')
  @Access('public')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  /** 200 only when the service could allow a call now, Kafka or not; else 503 with the reason. */
  @Get('ready')
  @Access('public')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<Record<string, unknown>> {
    const reason = await this.readiness.whyNot();
    const kafka = this.relay === undefined ? {} : { kafka: this.relay.details() };
    if (reason === undefined) return { status: 'ready', ...kafka };
    reply.status(503);
    return { status: 'not_ready', reason, ...kafka };
  }
}
