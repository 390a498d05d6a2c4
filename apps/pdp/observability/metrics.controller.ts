import { Controller, Header, Inject } from '@nestjs/common';
import { Registry } from 'prom-client';
import { metrics } from '../../../libs/contract/health.js';
import { Overloaded } from '../edge/problem.js';
import { Handles } from '../http/handles.js';
import { TokenBucket } from '../../../libs/kernel/token-bucket.js';

/** Each answer costs about a millisecond of the thread that decides, and anyone may ask. */
const BURST = 100;
const PER_S = 25;

@Controller()
export class MetricsController {
  private readonly budget = new TokenBucket(BURST, PER_S);

  constructor(@Inject(Registry) private readonly registry: Registry) {}

  /**
   * Metrics in the Prometheus text format. They are public, as health is. Scrapers are not principals, and a token
   * shared with every scraper would be a worse secret than these numbers. So metrics hold counts, sizes, durations and
   * words of our own closed lists. They hold no content, and no id of a task, call, trace, user or capability. The only
   * names are those of principals that were refused for load. To hide how busy the service is, keep others from its address.
   */
  @Handles(metrics)
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  metrics(): Promise<string> {
    if (!this.budget.take()) throw new Overloaded('metrics', 'the metrics are asked for too often');
    return this.registry.metrics();
  }
}
