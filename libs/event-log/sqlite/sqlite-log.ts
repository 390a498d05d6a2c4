import type { EventLog, EventPlace, ReadAllOptions, RecordedEvent } from '../port.js';
import { LogClosed } from '../port.js';
import { Subscriptions } from '../subscription.js';
import { AppendQueue, type AppendStats } from './main/append-queue.js';
import { NO_PAYLOAD, type Found } from './shared/query.js';
import { holdLog, preparePlace } from './main/place.js';
import { ReadQueue } from './main/read-queue.js';
import { MAX_QUEUED_BATCHES, MAX_QUEUED_BYTES, PAGE_EVENTS } from './shared/settings.js';

export interface SqliteLogOptions {
  /** The log's file, made if it does not exist. Its folder has to be there; `-wal`, `-shm` and `-lock` are next to it. */
  readonly file: string;
  /** Appends that may wait at once, and about how many bytes of them; above either, `append` throws `LogOverloaded`. */
  readonly maxQueuedBatches?: number;
  readonly maxQueuedBytes?: number;
  /** For tests of a full disk: the pages (of 4 KiB) that the file may have. */
  readonly maxPages?: number;
  /** Called with the code of each failed write, and without one for the first commit after a failure. */
  readonly onWriting?: (failure: string | undefined) => void;
}

export interface SqliteLog extends EventLog {
  stats(): AppendStats;
}

/**
 * The embedded event log: one file, one process, SQLite in two worker threads (a writer and a reader with a connection
 * of its own). `committed` means fsynced. Throws `LogOpenError`, whose message is one line for an operator.
 */
export async function openSqliteLog(options: SqliteLogOptions): Promise<SqliteLog> {
  const path = preparePlace(options.file);
  const lock = holdLog(path, options.file);
  const bounds = {
    maxQueuedBatches: options.maxQueuedBatches ?? MAX_QUEUED_BATCHES,
    maxQueuedBytes: options.maxQueuedBytes ?? MAX_QUEUED_BYTES,
  };
  const reads = new ReadQueue(path);
  const subscriptions = new Subscriptions((all) => reads.page(allQuery(all)));
  const appends = new AppendQueue(
    { path, maxPages: options.maxPages },
    bounds,
    (committed) => subscriptions.wake(committed),
    options.onWriting,
  );
  let closing: Promise<void> | undefined;

  const close = async () => {
    // The writer goes last: the last connection to close folds the WAL into the file.
    try {
      await appends.drain();
      subscriptions.stop();
      await reads.close();
      await appends.close();
    } finally {
      lock.release();
    }
  };
  try {
    // In this order: the writer makes the schema, and makes durable what a killed process left behind.
    await appends.start();
    await reads.start();
  } catch (error) {
    await close();
    throw error;
  }

  return {
    append: (batch, recall) => appends.append(batch, recall),
    head: async (stream) => firstNumber(await reads.find({ kind: 'head', stream })),
    read: (stream, after = 0, limit = Infinity) => readMany(reads, stream, after, limit),
    readAll: async (all) => (await reads.page(allQuery(all))).events,
    last: async (count) => (await reads.page({ kind: 'last', limit: count })).events,
    end: async () => BigInt(firstNumber(await reads.find({ kind: 'end' }))),
    subscribe(all, subscriber) {
      if (closing !== undefined) throw new LogClosed();
      return subscriptions.follow(all, subscriber);
    },
    payload: async (stream, revision) => (await reads.find({ kind: 'payload', stream, revision })).bytes,
    payloads: async (places) => payloadsOf(await reads.find(payloadsQuery(places))),
    blob: async (digest) => (await reads.find({ kind: 'blob', digest })).bytes,
    stats: () => appends.stats,
    close: () => (closing ??= close()),
  };
}

const allQuery = ({ after, categories, limit = PAGE_EVENTS }: ReadAllOptions) =>
  // Positions are ours and below 2^53; one from elsewhere that is not finds nothing, as it should.
  ({ kind: 'all', after: Number(after), categories: categories ?? null, limit: Math.max(1, limit) }) as const;

async function readMany(
  reads: ReadQueue,
  stream: string,
  after: number,
  limit: number,
): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let more = true; more && events.length < limit;) {
    const from = events.at(-1)?.revision ?? after;
    const some = Math.min(PAGE_EVENTS, limit - events.length);
    const page = await reads.page({ kind: 'stream', stream, after: from, limit: some });
    events.push(...page.events);
    more = page.more;
  }
  return events;
}

const payloadsQuery = (places: readonly EventPlace[]) =>
  ({
    kind: 'payloads',
    streams: places.map(({ stream }) => stream),
    revisions: places.map(({ revision }) => revision),
  }) as const;

function payloadsOf({ cells, bytes = new Uint8Array() }: Found): (Uint8Array | undefined)[] {
  let offset = 0;
  return cells.map((length) => {
    if (typeof length !== 'number') throw new TypeError('a message that does not hold what it should');
    return length === NO_PAYLOAD ? undefined : bytes.subarray(offset, (offset += length));
  });
}

function firstNumber({ cells: [cell] }: { readonly cells: readonly (string | number)[] }): number {
  if (typeof cell !== 'number') throw new TypeError('a message that does not hold what it should');
  return cell;
}
