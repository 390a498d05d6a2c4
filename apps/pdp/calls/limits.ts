import type { AuthorizeRequest } from '../../../libs/calls/requests.js';
import { Problem } from '../edge/problem.js';
import type { Settings } from '../settings.js';

/** The largest factor by which JSON grows when it is written again: `1e20` becomes 21 digits. */
const MAX_GROWTH = 6;

/**
 * Enforces the limits on an authorize request that its schema does not express, over any protocol. `bytes` is the size
 * of its body. Throws `Problem`.
 */
export function refuseTooLarge(
  { arguments: args, context, observed }: AuthorizeRequest,
  bytes: number,
  { argumentsBytes, bodyBytes, contextItems }: Settings['limits'],
): void {
  if ((context?.length ?? 0) > contextItems) throw new Problem('too_large', `at most ${contextItems} context items`);
  // If the whole body is small, its parts need no measuring.
  if (bytes * MAX_GROWTH > argumentsBytes && Buffer.byteLength(JSON.stringify(args)) > argumentsBytes) {
    throw new Problem('too_large', `the arguments are larger than ${argumentsBytes} bytes`);
  }
  if (observed.definition === undefined && bytes > bodyBytes) {
    throw new Problem('too_large', `the body is larger than ${bodyBytes} bytes`);
  }
}
