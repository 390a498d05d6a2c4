import { z } from 'zod';
import { Uuid } from '../vocabulary/ids.js';

const progress = z.strictObject({
  /** The process that sends. */
  holder: Uuid,
  /** Up to here the lane's topic has everything, as a decimal: whoever takes over goes on behind it. */
  position: z.string().regex(/^\d{1,20}$/, 'needs a position'),
});

/** Facts of `relay-<lane>`: bookkeeping of the relay, no evidence. From the first on, whoever held the lane has lost it. */
export const relayEventSchemas = { RelayLeaseTaken: progress, RelayCheckpointed: progress } as const;
export type RelayProgress = z.infer<typeof progress>;

export const RELAY_CATEGORY = 'relay';

/** - `events`: all of the log, in order.   - `directives`: emergency stops, alone, so that nothing delays them. */
export type LaneName = 'events' | 'directives';
