import type { Authorizer } from '../../../libs/decision-point/authorizer.js';
import type { Clock } from '../../../libs/kernel/time.js';
import { problemOf } from '../edge/problem.js';
import type { Metrics } from './metrics.js';

/** The part of an authorizer that the transports need and that its wrappers implement. */
export type Authorizing = Pick<Authorizer, 'authorize'>;

/** Wraps an authorizer: counts its answers by reason code, and times them. */
export function measuredAuthorizer(
  inner: Authorizing,
  metrics: Metrics,
  clock: Pick<Clock, 'monotonicMs'>,
): Authorizing {
  // One counter for each reason that was ever answered: the reasons are a closed list.
  const counters = new Map<string, { inc(): void }>();
  const counterOf = (decision: string, reason: string): { inc(): void } => {
    const counter = counters.get(reason) ?? metrics.decisions.labels(decision, reason);
    counters.set(reason, counter);
    return counter;
  };
  return {
    async authorize(...asked) {
      const startedMs = clock.monotonicMs();
      try {
        const result = await inner.authorize(...asked);
        if (result.ok) counterOf(result.value.decision, result.value.reason).inc();
        else metrics.undecided.labels(result.error.code).inc();
        metrics.authorizeSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
        return result;
      } catch (error) {
        metrics.undecided.labels(problemOf(error).code).inc();
        throw error;
      }
    },
  };
}
