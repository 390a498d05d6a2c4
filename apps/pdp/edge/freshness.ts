import type { FastifyRequest } from 'fastify';
import type { ControlView } from '../../../libs/control/control-view.js';
import { PositionText } from '../../../libs/vocabulary/ids.js';
import { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import { Problem } from './problem.js';

/** How long a query waits for the position that it requires, in milliseconds. */
export const FRESHNESS_MS = 2000;

/** The position that a query requires; undefined if it names none. Throws `Problem` if the text is no position. */
export function positionOf(text: unknown): bigint | undefined {
  if (text === undefined) return undefined;
  const position = PositionText.safeParse(text);
  if (!position.success) {
    throw new Problem('malformed_request', 'minPosition needs a decimal position', [
      { path: '/minPosition', message: 'is no position' },
    ]);
  }
  return BigInt(position.data);
}

/** Queries that may wait at once. One principal may hold half of them. */
const MAX_WAITING = 1024;

/**
 * Makes a query wait until the view has seen the position that it requires. Throws `Problem` if that takes too long. A
 * request without a caller never waits, because it is shown nothing.
 */
export function awaitFreshness(view: ControlView) {
  const waiting = new FairShareLimiter(MAX_WAITING);
  return async ({ method, query, principal }: FastifyRequest): Promise<void> => {
    if (method !== 'GET' || principal === undefined) return;
    const position = positionOf((query as Record<string, unknown>)['minPosition']);
    if (position === undefined) return;
    const hold = waiting.hold(principal.name);
    if (!hold.take(1)) throw stale();
    try {
      await awaitPosition(view, position);
    } finally {
      hold.end();
    }
  };
}

/** Waits until the view has seen a position. Throws `Problem` if that takes too long. */
export async function awaitPosition(view: ControlView, position: bigint | undefined): Promise<void> {
  if (position === undefined || (await view.waitFor(position, FRESHNESS_MS))) return;
  throw stale();
}

const stale = (): Problem => new Problem('view_stale', 'this position has not been seen yet');
