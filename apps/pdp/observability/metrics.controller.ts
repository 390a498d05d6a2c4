import { Controller, Header, Inject } from '@nestjs/common';
import { Registry } from 'prom-client';
import { metrics } from '../../../libs/contract/health.js';
import { Problem } from '../edge/problem.js';
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
   * Prometheus text format. Public, as health is: scrapers carry no principal of ours, and a token that is handed to
   * every scraper is a worse secret than what is told here. So nothing here may name or lead to anybody: counts, sizes,
   * durations and words of our own closed lists, never an id of a task, call, trace, host, user or capability, and no
   * content. Whoever must not learn how busy the service is has to be kept from its address.
   */
  @Handles(metrics)
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  metrics(): Promise<string> {
    if (!this.budget.take()) throw new Problem('overloaded', 'the metrics are asked for too often');
    return this.registry.metrics();
  }
}
