import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { BULK_CATEGORIES } from '../../bulk.js';
import { LogOpenError, openErrorOf } from '../shared/errors.js';
import { syncPath } from '../shared/sync-path.js';
import { BUSY_TIMEOUT_MS, CACHE_KIB, WAL_AUTOCHECKPOINT_PAGES } from '../shared/settings.js';

/** "slly" in ASCII: marks the file as a Sallyport event log. */
const APPLICATION_ID = 0x736c6c79;
export const SCHEMA_VERSION = 2;

/** All categories but the bulk are in a partial index. The words stand in the file: a change is a new schema version. */
const IS_CONTROL = `category NOT IN ('${BULK_CATEGORIES.join("', '")}')`;
/** The start of a query that reads control events only; SQLite takes the index where the same words stand in both. */
export const FROM_CONTROL_EVENTS = `FROM events INDEXED BY control_events WHERE ${IS_CONTROL}`;

/**
 * Since version 2: payloads whose bytes were written in parts, each in a transaction of its own, before their event. Of
 * those in `staging` the event has not been committed.
 */
const PARTS = `
  CREATE TABLE payload_parts (token INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE (token, part)) STRICT;
  CREATE TABLE parted_payloads (position INTEGER PRIMARY KEY, token INTEGER NOT NULL) STRICT;
  CREATE TABLE staging (token INTEGER PRIMARY KEY) STRICT;
`;

/**
 * Positions are assigned by the one writer and only grow. A global index on event ids would cost a third of the
 * throughput, and WITHOUT ROWID half of it: a repeat is known by the bytes at its exact revisions.
 */
const SCHEMA = `
  CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    category TEXT NOT NULL,
    type TEXT NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (stream_id, revision)
  ) STRICT;
  CREATE INDEX control_events ON events (position, category) WHERE ${IS_CONTROL};
  CREATE TABLE payloads (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
  ${PARTS}
  CREATE TABLE blobs (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** `cell_size_check` finds a damaged page when it is first read rather than when a cell of it is used. */
const COMMON_PRAGMAS = `PRAGMA cache_size = -${CACHE_KIB}; PRAGMA cell_size_check = ON`;

export interface WriterOptions {
  /** The log's real path. */
  readonly path: string;
  /** Pages that the file may have, for tests of a full disk. */
  readonly maxPages?: number | undefined;
}

/** What the writer's thread is started with. */
export interface WriterThreadOptions extends WriterOptions {
  /** The memory of `Claims`. */
  readonly claims: SharedArrayBuffer;
}

/** Opens the log for its one writer and makes the schema where the file is new. Throws `LogOpenError`. */
export function openForWriting({ path, maxPages }: WriterOptions): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    // A killed process may have left commits in the page cache only. They are made durable before anyone reads them.
    if (existsSync(`${path}-wal`)) syncPath(`${path}-wal`);
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    // Before anything is changed: the file may be somebody else's.
    const isNew = identify(db, path);
    const { journal_mode: mode } = db.prepare('PRAGMA journal_mode = WAL').get() ?? {};
    if (mode !== 'wal') throw new LogOpenError('cannot_open', `${path} is on a file system that cannot keep a WAL`);
    db.exec(`PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}`);
    db.exec(COMMON_PRAGMAS);
    if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`);
    if (isNew) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
    else bringUpToDate(db);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw openErrorOf(error, path);
  }
}

/** Adds what the file's version did not have, and lets go of parts whose event never came. */
function bringUpToDate(db: DatabaseSync): void {
  if (db.prepare('PRAGMA user_version').get()?.['user_version'] === 1)
    db.exec(`BEGIN IMMEDIATE; ${PARTS} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  if (db.prepare('SELECT 1 FROM staging LIMIT 1').get() === undefined) return;
  db.exec(`BEGIN IMMEDIATE;
    DELETE FROM payload_parts WHERE token IN (SELECT token FROM staging);
    DELETE FROM staging;
    COMMIT`);
}

/** Opens a log that the writer has opened before. Throws `LogOpenError`. */
export function openForReading(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    if (identify(db, path)) throw new LogOpenError('damaged', `${path} has lost its tables`);
    db.exec(`PRAGMA query_only = ON; ${COMMON_PRAGMAS}`);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw openErrorOf(error, path);
  }
}

/** Closing what is broken already may fail again, and then says nothing new. */
export function closeQuietly(db: DatabaseSync | undefined): void {
  try {
    db?.close();
  } catch {
    // It is let go either way.
  }
}

/** True where the file is new and empty. Refuses what is not a log of ours. */
function identify(db: DatabaseSync, path: string): boolean {
  const applicationId = db.prepare('PRAGMA application_id').get()?.['application_id'];
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'];
  if (applicationId === 0 && version === 0 && tables === 0) return true;
  if (applicationId !== APPLICATION_ID) {
    throw new LogOpenError('foreign_database', `${path} is a database of another program`);
  }
  if (version > SCHEMA_VERSION) {
    const versions = `schema ${version}, this version reads up to ${SCHEMA_VERSION}`;
    throw new LogOpenError('newer_schema', `${path} was written by a newer version of Sallyport (${versions})`);
  }
  if (tables === 0) throw new LogOpenError('damaged', `${path} has lost its tables`);
  return false;
}
