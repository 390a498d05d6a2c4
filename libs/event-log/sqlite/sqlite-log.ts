import { DamagedEvidence, LogClosed, type DamagedPlace, type EventLog } from '../port.js';
import { Subscriptions } from '../subscription.js';
import { AppendQueue, type AppendStats } from './main/append-queue.js';
import { holdLog, preparePlace } from './main/place.js';
import { ReadQueue } from './main/read-queue.js';
import { damagedIn, readingOf, readPage, type Finder } from './shared/reading.js';
import { MAX_QUEUED_BATCHES, MAX_QUEUED_BYTES } from './shared/settings.js';

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
  /** Called with each damaged event that a reading met, each time. */
  readonly onDamaged?: (place: DamagedPlace) => void;
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
  const find = notingFinder(reads, options.onDamaged);
  const subscriptions = new Subscriptions((all) => readPage(find, all));
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
    ...readingOf(find),
    subscribe(all, subscriber) {
      if (closing !== undefined) throw new LogClosed();
      return subscriptions.follow(all, subscriber);
    },
    stats: () => appends.stats,
    close: () => (closing ??= close()),
  };
}

/** Answers queries, and tells of the damaged events in the answers. */
function notingFinder(reads: ReadQueue, onDamaged: SqliteLogOptions['onDamaged']): Finder {
  if (onDamaged === undefined) return (query) => reads.find(query);
  return async (query) => {
    try {
      const found = await reads.find(query);
      damagedIn(query, found).forEach(onDamaged);
      return found;
    } catch (error) {
      if (error instanceof DamagedEvidence && error.place !== undefined) onDamaged(error.place);
      throw error;
    }
  };
}
