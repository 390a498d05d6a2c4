import { DatabaseSync } from 'node:sqlite';
import { codeOf } from '../../sqlite-file/codes.js';
import { closeQuietly } from '../../sqlite-file/open-file.js';
import { queryOf } from './queries.js';
import { IndexUnavailable, readingBy, type IndexReading, type IndexStamp } from './reading.js';
import { markOf } from './store.js';

/** The name of the file in the data folder. */
export const INDEX_FILE = 'audit-index.db';
/** SQLite waits this long for the checkpoint of the thread that writes the file. */
const BUSY_MS = 1_000;

/** Reads the file of the index in a thread that does not own it. It opens no transaction for longer than one query. */
export class IndexFileReader {
  private open: { readonly generation: number; readonly db: DatabaseSync } | undefined;

  constructor(private readonly file: string) {}

  /** The index for one request. Its owner made the stamp, so that nothing of a replaced or emptied file is believed. */
  at(stamp: IndexStamp): IndexReading {
    return {
      asOf: () => Promise.resolve(stamp.end),
      ...readingBy(async (name, asked) => this.ask(stamp, (db) => queryOf(db, name, asked))),
    };
  }

  close(): void {
    closeQuietly(this.open?.db);
    this.open = undefined;
  }

  private ask<Answer>({ stored, generation }: IndexStamp, query: (db: DatabaseSync) => Answer): Answer {
    try {
      const db = this.connection(generation);
      // One snapshot: the file that holds the mark answers the query.
      db.exec('BEGIN');
      try {
        if ((markOf(db)?.position ?? 0n) < stored) throw new IndexUnavailable('the index is being rebuilt');
        return query(db);
      } finally {
        db.exec('COMMIT');
      }
    } catch (error) {
      this.close();
      if (error instanceof IndexUnavailable) throw error;
      throw new IndexUnavailable(`the index cannot be read: ${codeOf(error)}`);
    }
  }

  private connection(generation: number): DatabaseSync {
    if (this.open?.generation === generation) return this.open.db;
    this.close();
    const db = new DatabaseSync(this.file, { timeout: BUSY_MS, readOnly: true });
    this.open = { generation, db };
    return db;
  }
}
