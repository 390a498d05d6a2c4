import { z } from 'zod';
import { DigestText, InstantText, Label, NameId, Reason, TraceId } from '../vocabulary/ids.js';

/**
 * Fact of stream `erasures`: everything that identifies a user was erased. `pseudonym` is the name that events have for
 * the user. Its key is destroyed after this event, so nobody can tell from then on whose it was.
 */
const UserErased = z.strictObject({
  pseudonym: Label,
  /** Tasks of the user whose content is erased with this. Each has a `TaskShredded` of its own. */
  shreddedTasks: z.int().min(0),
  reason: Reason,
});
export const erasureEventSchemas = { UserErased } as const;

/** Different questions that one event lists. Further ones have an event of their own. */
export const MAX_READS_LISTED = 32;
/** The filters of a question, as text. */
export const MAX_QUERY_CHARS = 500;

/** Equal requests of one auditor within the time of one event. */
const Read = z.strictObject({
  /** The operation of the contract. */
  operation: z.string().min(1).max(64),
  traceId: TraceId.optional(),
  /** The filters, as `name=value&…`. The ids of users are withheld. */
  query: z.string().max(MAX_QUERY_CHARS).optional(),
  count: z.int().min(1),
});

/**
 * Fact of stream `reads-<principal>`: the evidence that a principal read from one time to another. Requests are
 * gathered, so there is at most one such event a second for a principal, or one for `MAX_READS_LISTED` questions.
 */
const EvidenceRead = z.strictObject({
  by: NameId,
  what: z.array(Read).min(1).max(MAX_READS_LISTED),
  /** All requests. Older events count some that `what` had no room for. */
  count: z.int().min(1),
  from: InstantText,
  to: InstantText,
});
export const readEventSchemas = { EvidenceRead } as const;

/** Fact of stream `archives`: closed traces were written to files outside of the log, and verified there. */
const TracesArchived = z.strictObject({
  /** Traces whose last event is older than this. */
  before: InstantText,
  archivedTraces: z.int().min(1),
  archivedEvents: z.int().min(1),
  /** The sealed state of the log that the archive was verified against. */
  checkpoint: z.strictObject({ size: z.int().min(0), root: z.string().max(100) }),
  /** SHA-256 of the archive's list of files, which has the digest of each file. */
  digest: DigestText,
});
export const archiveEventSchemas = { TracesArchived } as const;
