import { z } from 'zod';
import { InstantText } from '../vocabulary/ids.js';

/** Facts about the log itself, in the stream `log`. */
export const logEventSchemas = {
  /** A log was restored from a backup. The events after it are of a new incarnation. */
  LogRestored: z.strictObject({
    /** Greater than that of every earlier incarnation: seconds since 1970. */
    incarnation: z.int().min(1),
    backupAt: InstantText,
    /** The position of the last event in the backup, a decimal. */
    backupHead: z.string().regex(/^\d{1,20}$/, 'needs a position'),
    /** The epoch of the directives in the backup. */
    backupEpoch: z.int().min(0),
  }),
} as const;
