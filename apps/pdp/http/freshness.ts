import type { FastifyRequest } from 'fastify';
import type { ControlView } from '#libs/decision-point/control-view.js';
import { Problem } from './problem.js';

/** How long a query waits for a position that it was asked to have seen. */
export const FRESHNESS_MS = 2000;
const MAX_POSITION = 2n ** 63n - 1n;

/** The position that a request wants to have been seen: `?minPosition=`. */
export function minPositionOf(request: FastifyRequest): bigint | undefined {
  return positionOf((request.query as Record<string, unknown>)['minPosition']);
}

/** A position that is wanted to have been seen, as it came. */
export function positionOf(text: unknown): bigint | undefined {
  if (text === undefined) return undefined;
  if (typeof text !== 'string' || !/^\d{1,19}$/.test(text) || BigInt(text) > MAX_POSITION) {
    throw new Problem('malformed_request', 'minPosition needs a decimal position', [
      { path: '/minPosition', message: 'is no position' },
    ]);
  }
  return BigInt(text);
}

/** Lets a query see what the caller has seen, or says that it cannot yet. */
export function awaitFreshness(view: ControlView) {
  return async (request: FastifyRequest): Promise<void> => {
    if (request.method !== 'GET') return;
    await awaitPosition(view, minPositionOf(request));
  };
}

/** Waits until the view has seen a position. Throws `Problem` where that takes too long. */
export async function awaitPosition(view: ControlView, position: bigint | undefined): Promise<void> {
  if (position === undefined || (await view.waitFor(position, FRESHNESS_MS))) return;
  throw new Problem('view_stale', 'this position has not been seen yet');
}
