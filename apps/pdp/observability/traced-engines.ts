import { DecisionEngines } from '../../../libs/decision-point/engines.js';
import type { EventLog } from '../../../libs/event-log/port.js';
import type { Tracing } from './tracing.js';

/**
 * The same engines, with a span `decide` in each traced call. The decision is synchronous: it begins where nothing is
 * left to prepare for it, and ends where its append begins.
 */
export class TracedEngines extends DecisionEngines {
  constructor(
    log: EventLog,
    private readonly tracing: Tracing,
  ) {
    super(log);
  }

  override missing(...asked: Parameters<DecisionEngines['missing']>): ReturnType<DecisionEngines['missing']> {
    const missing = super.missing(...asked);
    const call = missing === undefined ? this.tracing.calls.getStore() : undefined;
    if (call !== undefined) {
      call.deciding?.end();
      call.deciding = this.tracing.tracer.startSpan('decide', {}, call.parent);
    }
    return missing;
  }
}
