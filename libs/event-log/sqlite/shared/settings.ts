/**
 * Constants of the adapter. They were chosen by measuring on two cores with 1.4 kB events; each says what it guards.
 */

/** With this many events waiting they are posted although the writer is still committing, so that it is never idle. */
export const POST_FROM_EVENTS = 16;
/** Batches of one group. Without a cap the main thread and the writer take turns instead of overlapping. */
export const MAX_GROUP_BATCHES = 16;
/** Groups that one transaction takes if they have piled up behind a slow sync. */
export const MAX_GROUPS_TOGETHER = 8;
/** Weight of one group, after its first batch: a few large definitions must not delay all others. */
export const MAX_GROUP_BYTES = 4_194_304;

/** Weight of all groups that the writer has: an urgent batch can overtake everything behind them. */
export const MAX_POSTED_BYTES = 1_048_576;
/** Urgent batches that may be queued at once in addition to all others, posted ones included. */
export const MAX_URGENT_BATCHES = 256;

/**
 * A larger payload is written in parts of this size before its event. Other appends share the transaction of each part,
 * so nothing waits for more than one part, and a slow disk never has to sync more at once.
 */
export const PART_BYTES = 524_288;

/** Bounds of the queue of appends, posted ones included; above either, an append throws `LogOverloaded`. */
export const MAX_QUEUED_BATCHES = 8_192;
export const MAX_QUEUED_BYTES = 134_217_728;

/** Stream heads that the writer remembers; the least recently used is read again when it is next needed. */
export const MAX_REMEMBERED_HEADS = 65_536;

/** Reads that may wait at once; above that, a read throws `LogUnavailable`. */
export const MAX_WAITING_READS = 4_096;
/** Reads of one message: a message costs more than most reads, and many large ones would make a large answer. */
export const MAX_POSTED_READS = 16;
/** A page of events ends at either. Long reads are many pages, so that no reader waits for another's whole stream. */
export const PAGE_EVENTS = 500;
export const PAGE_CHARS = 2_097_152;
/** A page of payloads ends with the one that reaches this size. */
export const PAGE_BYTES = 2_097_152;

/** SQLite waits this long for a lock that a shell or a backup holds. */
export const BUSY_TIMEOUT_MS = 1_000;
/** SQLite's own default. 16k and 64k pages stall for 51 and 155 ms; without checkpoints the WAL reached 1 GB. */
export const WAL_AUTOCHECKPOINT_PAGES = 1_000;

/** A worker thread that died is started again at most this often; in between, callers get an error at once. */
export const RESTART_MS = 250;
/** The page cache of each connection, in addition to the cache of the operating system. */
export const CACHE_KIB = 16_384;
/**
 * For new objects of a worker thread, in MiB. Hardly any of them outlives its message; by default V8 would take several
 * times as much and be no faster.
 */
export const THREAD_LIMITS = { maxYoungGenerationSizeMb: 12 } as const;
