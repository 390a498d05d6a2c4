import { z } from 'zod';
import { Uuid } from '../vocabulary/ids.js';

const progress = z.strictObject({
  /** The process that sends events. */
  holder: Uuid,
  /** The topic has every event up to this position, a decimal. The next holder continues after it. */
  position: z.string().regex(/^\d{1,20}$/, 'needs a position'),
});

/**
 * Facts of `relay-<lane>`: progress of the relay, not evidence. Each `RelayLeaseTaken` ends the previous holder's
 * lease.
 */
export const relayEventSchemas = { RelayLeaseTaken: progress, RelayCheckpointed: progress } as const;
export type RelayProgress = z.infer<typeof progress>;

/** `events`: the whole log, in order. `directives`: emergency stops alone, so that nothing delays them. */
export type KafkaLaneName = 'events' | 'directives';

/** The OCSF events of the whole log, by the way on which they leave. */
export type SiemLaneName = 'siem-kafka' | 'siem-file' | 'siem-otlp';

export type LaneName = KafkaLaneName | SiemLaneName;
