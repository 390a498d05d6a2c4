import type { FastifyRequest } from 'fastify';
import type { ControlView } from '../../../libs/control/control-view.js';
import { PositionText } from '../../../libs/vocabulary/ids.js';
import { FairShareLimiter } from '../../../libs/kernel/fair-share-limiter.js';
import { Problem } from './problem.js';

/** How long a query waits for a position that it was asked to have seen. */
export const FRESHNESS_MS = 2000;

/** A position that is wanted to have been seen, as it came. */
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

/** Queries that may wait at once; one principal gets half. */
const MAX_WAITING = 1024;

/** Lets a query see what the caller has seen, or says that it cannot yet. Strangers are shown nothing, so wait for nothing. */
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

/** Waits until the view has seen a position. Throws `Problem` where that takes too long. */
export async function awaitPosition(view: ControlView, position: bigint | undefined): Promise<void> {
  if (position === undefined || (await view.waitFor(position, FRESHNESS_MS))) return;
  throw stale();
}

const stale = (): Problem => new Problem('view_stale', 'this position has not been seen yet');
