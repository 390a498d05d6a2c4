import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { BULK_CATEGORIES } from '../../bulk.js';
import { closeQuietly, openFile, versionOf, WrongFile, type FileFormat } from '../../../sqlite-file/open-file.js';
import { syncPath } from '../../../sqlite-file/sync-path.js';
import { openErrorOf } from '../shared/errors.js';
import { BUSY_TIMEOUT_MS, CACHE_KIB, WAL_AUTOCHECKPOINT_PAGES } from '../shared/settings.js';

export const SCHEMA_VERSION = 3;

/** All categories but the bulk are in a partial index. The words stand in the file: a change is a new schema version. */
const IS_CONTROL = `category NOT IN ('${BULK_CATEGORIES.join("', '")}')`;
/**
 * The start of a query that reads control events only. SQLite uses the index only if the query repeats its condition.
 */
export const FROM_CONTROL_EVENTS = `FROM events INDEXED BY control_events WHERE ${IS_CONTROL}`;

/**
 * Since version 2: payloads whose bytes were written in parts, each in a transaction of its own, before their event.
 * The events of those in `staging` have not been committed.
 */
const PARTS = `
  CREATE TABLE payload_parts (token INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE (token, part)) STRICT;
  CREATE TABLE parted_payloads (position INTEGER PRIMARY KEY, token INTEGER NOT NULL) STRICT;
  CREATE TABLE staging (token INTEGER PRIMARY KEY) STRICT;
`;

/**
 * Since version 3: the leaves of events that were removed after they were archived and sealed. A stream is here whole, or
 * not at all.
 */
const PRUNED = `
  CREATE TABLE pruned (
    position INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    leaf BLOB NOT NULL
  ) STRICT;
`;

/**
 * Only the writer assigns positions, and they only grow. A global index on event ids would cost a third of the
 * throughput, and WITHOUT ROWID half of it: a repeat is recognised by the bytes at its exact revisions.
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
  ${PRUNED}
  CREATE TABLE blobs (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
`;

const FORMAT: FileFormat = {
  /** "slly" in ASCII. */
  applicationId: 0x736c6c79,
  version: SCHEMA_VERSION,
  schema: SCHEMA,
  upgrades: { 1: PARTS, 2: PRUNED },
};

/** `cell_size_check` finds a damaged page when it is first read rather than when a cell of it is used. */
const COMMON_PRAGMAS = `PRAGMA cache_size = -${CACHE_KIB}; PRAGMA cell_size_check = ON`;

export interface WriterOptions {
  /** The log's real path. */
  readonly path: string;
  /** Pages that the file may have, for tests of a full disk. */
  readonly maxPages?: number | undefined;
}

/** The data that the writer thread is started with. */
export interface WriterThreadOptions extends WriterOptions {
  /** The memory of `Claims`. */
  readonly claims: SharedArrayBuffer;
  /** The memory of `PlaceGuard`. */
  readonly place: SharedArrayBuffer;
}

/** Opens the log for its one writer; makes the schema of a new file and upgrades an older one. Throws `LogOpenError`. */
export function openForWriting({ path, maxPages }: WriterOptions): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    // A killed process may have left commits in the page cache only. They are made durable before anyone reads them.
    if (existsSync(`${path}-wal`)) syncPath(`${path}-wal`);
    const limit = maxPages === undefined ? '' : `; PRAGMA max_page_count = ${maxPages}`;
    const pragmas = `PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}; ${COMMON_PRAGMAS}${limit}`;
    db = openFile(path, FORMAT, { timeoutMs: BUSY_TIMEOUT_MS, pragmas });
    deleteStagedParts(db);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw openErrorOf(error, path);
  }
}

/** Deletes the parts of payloads whose events were never committed. */
function deleteStagedParts(db: DatabaseSync): void {
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
    if (versionOf(db, FORMAT) === undefined) throw new WrongFile('no_tables', { found: 0, current: SCHEMA_VERSION });
    db.exec(`PRAGMA query_only = ON; ${COMMON_PRAGMAS}`);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw openErrorOf(error, path);
  }
}
