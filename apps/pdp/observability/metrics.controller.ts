import { Controller, Header, Inject, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Registry } from 'prom-client';
import { metrics } from '../../../libs/contract/health.js';
import { isLoopback } from '../../../libs/kernel/loopback.js';
import type { Asked } from '../edge/asked.js';
import { Overloaded, Problem } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { Scrapes } from './scrapes.js';

@Controller()
export class MetricsController {
  constructor(@Inject(Scrapes) private readonly scrapes: Scrapes) {}

  /**
   * Metrics for programs on this machine. Scrapers are not principals, and a token shared with every scraper would be a
   * worse secret than these numbers. Scrapers on other machines use `SALLYPORT_METRICS`.
   */
  @Handles(metrics)
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  metrics(_: Asked<typeof metrics>, @Req() request: Pick<FastifyRequest, 'headers' | 'raw'>): Promise<string> {
    if (!isFromThisMachine(request)) {
      throw new Problem('forbidden', 'the metrics are for this machine here; for others, see SALLYPORT_METRICS');
    }
    const text = this.scrapes.take();
    if (text === undefined) throw new Overloaded('metrics', 'the metrics are asked for too often');
    return text;
  }
}

/** Headers that a proxy on this machine adds to the requests of others. */
const OF_PROXIES = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

export function isFromThisMachine({ headers, raw }: Pick<FastifyRequest, 'headers' | 'raw'>): boolean {
  const address = (raw.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return isLoopback(address) && OF_PROXIES.every((name) => headers[name] === undefined);
}
