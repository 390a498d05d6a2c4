import type { Registry } from 'prom-client';
import type { ReadingLimits } from '../../../libs/decision-point/content-jobs.js';
import { contentWorker } from '../../../libs/decision-point/content-desk.js';
import { JobPool } from '../../../libs/offload/job-pool.js';
import { valueBoundsOf } from '../edge/value-bounds.js';
import { addGauge, addTotal } from '../observability/gauges.js';
import type { Settings } from '../settings.js';

/** Jobs that may wait. One host may hold half of them. */
const MAX_WAITING = 512;
/** The heap of a thread in MB. It holds an envelope of the largest response a few times. */
const HEAP_MB = 384;

/** Starts the threads that work on content, which spare the thread that decides. */
export function contentPool({ bounds }: Settings, registry: Registry): JobPool {
  const pool = new JobPool({
    script: contentWorker,
    threads: bounds.validationThreads,
    timeLimitMs: bounds.validationMs,
    heapMb: HEAP_MB,
    maxWaiting: MAX_WAITING,
    maxBytes: bounds.bodiesBytes,
  });
  addGauge(
    registry,
    'sallyport_content_jobs',
    'Responses and definitions that are worked on or wait.',
    () => pool.inHand,
  );
  addGauge(registry, 'sallyport_content_bytes', 'Bytes of content that is worked on or waits.', () => pool.heldBytes);
  addTotal(
    registry,
    'sallyport_content_refused_total',
    'Content that was refused because too much was in hand.',
    () => {
      return pool.refused;
    },
  );
  return pool;
}

export function readingLimits(limits: Settings['limits']): ReadingLimits {
  const { responseBytes: body, response } = valueBoundsOf(limits);
  return { maxDepth: limits.jsonDepth, body, response };
}
