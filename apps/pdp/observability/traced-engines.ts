import { DecisionEngines } from '../../../libs/decision-point/engines.js';
import type { EventLog } from '../../../libs/event-log/port.js';
import type { Tracing } from './tracing.js';

/**
 * Wraps the engines: each traced call gets a span `decide`. The decision is synchronous. The span begins when
 * everything is prepared, and ends when the append begins.
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
