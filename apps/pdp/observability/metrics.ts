import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { PROBLEMS } from '../../../libs/contract/problem.js';
import type { ReasonCode } from '../../../libs/vocabulary/words.js';
import { VERSION } from '../../../libs/kernel/version.js';
import { Scrapes } from './scrapes.js';

/** In seconds: from below a millisecond on a quiet service up to the deadline of the log. */
const LATENCY_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * The metrics that the measuring wrappers write. Labels are closed lists of words: never an id or any content. The only names are those of refused principals.
 */
export interface Metrics {
  readonly registry: Registry;
  readonly scrapes: Scrapes;
  readonly decisions: Counter<'decision' | 'reason'>;
  /** Requests to authorize that ended without a decision, by cause. */
  readonly undecided: Counter<'cause'>;
  readonly authorizeSeconds: Histogram;
  readonly appends: Counter<'outcome'>;
  readonly appendSeconds: Histogram;
  readonly propagationSeconds: Histogram;
}

/** Denials for a fault of the service or of a policy, which deploy/alerts.yaml asks for. */
const FAULTS = ['internal_error', 'view_stale', 'filter_failed', 'policy_error'] as const satisfies ReasonCode[];

/** A registry of its own, so that two services in one process do not mix. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges of the library with the name of a counter. Others without `_total` have the same numbers.
  for (const each of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${each}_total`);
  const registers = [registry];
  const build = { version: VERSION, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
  new Gauge({
    name: 'sallyport_build_info',
    help: 'Always 1; the labels name the version of the service and of Node.',
    labelNames: Object.keys(build),
    registers,
  }).set(build, 1);
  const decisions = new Counter({
    name: 'sallyport_decisions_total',
    help: 'Decisions that were answered, by decision and reason code.',
    labelNames: ['decision', 'reason'],
    registers,
  });
  const undecided = new Counter({
    name: 'sallyport_undecided_total',
    help: 'Requests to authorize that ended without a decision, by cause.',
    labelNames: ['cause'],
    registers,
  });
  // An alert sees a rise only of a series that was there before.
  for (const reason of FAULTS) decisions.inc({ decision: 'deny', reason }, 0);
  for (const cause of Object.keys(PROBLEMS)) undecided.inc({ cause }, 0);
  return {
    registry,
    scrapes: new Scrapes(registry),
    decisions,
    undecided,
    authorizeSeconds: new Histogram({
      name: 'sallyport_authorize_seconds',
      help: 'From a well-formed request to authorize to its answer, the durable record included.',
      buckets: LATENCY_BUCKETS_S,
      registers,
    }),
    appends: new Counter({
      name: 'sallyport_appends_total',
      help: 'Appends to the event log by what became of them.',
      labelNames: ['outcome'],
      registers,
    }),
    appendSeconds: new Histogram({
      name: 'sallyport_append_seconds',
      help: 'From an append to the word that it is durable, or refused.',
      buckets: LATENCY_BUCKETS_S,
      registers,
    }),
    propagationSeconds: new Histogram({
      name: 'sallyport_propagation_seconds',
      help: 'From the commit of a directive to its acknowledgement by an instance that held a lease then.',
      buckets: LATENCY_BUCKETS_S,
      registers,
    }),
  };
}
