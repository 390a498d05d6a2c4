import type { ServerEvidence } from '../calls/events.js';
import type { ServerExpectation } from '../capability/manifest.js';

export type ServerResult = 'verified' | 'mismatch' | 'unauthenticated';

/**
 * Compares what a host saw of a server with what its manifest expects. Only what the expectation names is compared, and
 * all of it must be there and be equal. Evidence by another method than the expected one proves nothing about it.
 */
export function compareServer(expected: ServerExpectation, observed: ServerEvidence): ServerResult {
  if (expected.method === 'none' || observed.method === 'none') return 'unauthenticated';
  if (observed.method !== expected.method) return 'mismatch';
  const seen: Readonly<Record<string, unknown>> = observed;
  return Object.entries(expected).every(([field, value]) => seen[field] === value) ? 'verified' : 'mismatch';
}
