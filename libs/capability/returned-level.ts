import { ownValue } from '../kernel/canonical-json.js';
import type { Level } from '../vocabulary/words.js';
import type { VersionState } from './state.js';

/** The level of what an operation returns: as its manifest says, else the sensitivity of its version. */
export function returnedLevel({ operations, sensitivity }: VersionState, operation: string): Level {
  return ownValue(operations, operation)?.returns ?? sensitivity;
}
