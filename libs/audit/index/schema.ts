import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isDamage } from '../../sqlite-file/codes.js';
import { closeQuietly, openFile, WrongFile, type FileFormat } from '../../sqlite-file/open-file.js';
import { SIDE_FILES } from '../../sqlite-file/side-files.js';

/**
 * Each name is stored once and is a number everywhere else. `seq` counts calls in order of the log, so that a rebuilt
 * index gives them the same numbers and cursors outlive it. Ids, codes and hashes only: no content, ever.
 */
const SCHEMA = `
  CREATE TABLE mark (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL, stream TEXT NOT NULL, revision INTEGER NOT NULL, id TEXT NOT NULL
  ) STRICT;
  CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE versions (
    id INTEGER PRIMARY KEY, capability INTEGER NOT NULL, version TEXT NOT NULL, status TEXT, UNIQUE (version, capability)
  ) STRICT;
  CREATE TABLE policies (revision INTEGER PRIMARY KEY, active INTEGER NOT NULL) STRICT;
  CREATE TABLE tasks (
    task INTEGER PRIMARY KEY, host INTEGER NOT NULL, user INTEGER NOT NULL, agent INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, closed_ms INTEGER, shredded_ms INTEGER,
    tainted_ms INTEGER
  ) STRICT;
  CREATE INDEX tasks_by_time ON tasks (opened_ms);
  CREATE INDEX tasks_by_end ON tasks (coalesce(closed_ms, expires_ms), task) WHERE shredded_ms IS NULL;
  CREATE INDEX tasks_by_user ON tasks (user) WHERE shredded_ms IS NULL;
  CREATE INDEX tasks_by_host ON tasks (host, opened_ms);
  CREATE TABLE pins (
    version INTEGER NOT NULL, host INTEGER NOT NULL, expires_ms INTEGER NOT NULL, task INTEGER NOT NULL,
    PRIMARY KEY (version, host, expires_ms, task)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE calls (
    seq INTEGER PRIMARY KEY, position INTEGER NOT NULL, revision INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    call BLOB NOT NULL, attempt INTEGER NOT NULL, task INTEGER NOT NULL, host INTEGER NOT NULL,
    trace INTEGER NOT NULL, refused INTEGER NOT NULL, capability INTEGER NOT NULL, version INTEGER,
    operation INTEGER NOT NULL, decision INTEGER NOT NULL, reason INTEGER NOT NULL, user INTEGER, agent INTEGER,
    policy INTEGER,
    response INTEGER, released INTEGER, outcome INTEGER, -- revisions in the stream of the call
    held INTEGER -- 1 while its response is held
  ) STRICT;
  CREATE INDEX calls_by_time ON calls (time_ms);
  CREATE INDEX calls_by_call ON calls (call);
  CREATE INDEX calls_by_task ON calls (task, time_ms);
  CREATE INDEX calls_by_trace ON calls (trace, time_ms);
  CREATE INDEX calls_by_host ON calls (host, time_ms);
  CREATE INDEX calls_by_capability ON calls (capability, time_ms);
  CREATE INDEX calls_by_version ON calls (version, time_ms);
  CREATE INDEX calls_by_operation ON calls (operation, time_ms);
  CREATE INDEX calls_by_policy ON calls (policy, time_ms);
  CREATE INDEX calls_by_reason ON calls (reason, time_ms);
  CREATE INDEX calls_held ON calls (time_ms) WHERE held = 1;
  CREATE INDEX calls_released ON calls (time_ms) WHERE released IS NOT NULL;
  CREATE INDEX refusals_by_trace ON calls (trace, seq) WHERE refused = 1;
  CREATE TABLE approvals (
    seq INTEGER PRIMARY KEY, approval BLOB NOT NULL UNIQUE, time_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
    task INTEGER NOT NULL, capability INTEGER NOT NULL,
    verdict INTEGER, used INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL, decided INTEGER -- revisions in the stream of the calls
  ) STRICT;
  CREATE INDEX approvals_by_time ON approvals (time_ms);
  CREATE INDEX approvals_by_task ON approvals (task, time_ms);
  CREATE INDEX approvals_by_capability ON approvals (capability, time_ms);
  CREATE INDEX approvals_pending ON approvals (time_ms) WHERE verdict IS NULL AND used = 0;
  CREATE TABLE identities (
    identity INTEGER NOT NULL, time_ms INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (identity, time_ms, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE streams (
    stream TEXT PRIMARY KEY, events INTEGER NOT NULL, chain BLOB NOT NULL, last INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE blocks (
    block INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, events INTEGER NOT NULL,
    min_ms INTEGER NOT NULL, max_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE block_names (
    kind INTEGER NOT NULL, name INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (kind, name, block)
  ) STRICT, WITHOUT ROWID;
`;

/** The tables that a reset empties. */
export const TABLES: readonly string[] = [...SCHEMA.matchAll(/CREATE TABLE (\w+)/g)].map(([, name = '']) => name);

const FORMAT: FileFormat = {
  /** "slix" in ASCII. */
  applicationId: 0x736c6978,
  version: 5,
  schema: SCHEMA,
};

/**
 * A crash of the machine may lose commits under `synchronous = NORMAL`. The lost events are read from the log again.
 */
const OPTIONS = { timeoutMs: 0, pragmas: 'PRAGMA synchronous = NORMAL; PRAGMA cell_size_check = ON' } as const;

/**
 * Opens the index. A file that is damaged, blank, or of another schema version, is deleted and made again, because the
 * log has all of its data. Throws if the file is a database of another program or cannot be written.
 */
export function openIndexFile(file: string): DatabaseSync {
  if (isVacant(file)) return makeAgain(file);
  try {
    const db = openFile(file, FORMAT, OPTIONS);
    if (isIntact(db)) return db;
    closeQuietly(db);
  } catch (error) {
    if (error instanceof WrongFile && error.fault === 'foreign' && !isBlank(file))
      throw new Error('the file of the audit index is a database of another program', { cause: error });
    if (!(error instanceof WrongFile) && !isDamage(error)) throw error;
  }
  return makeAgain(file);
}

/** An empty index that is gone when it is closed. SQLite keeps it in a temporary file, so that it may be large. */
export function openScratchIndex(): DatabaseSync {
  const db = new DatabaseSync('');
  db.exec(`PRAGMA synchronous = OFF; ${SCHEMA}`);
  return db;
}

/** 'ax' follows no symbolic link and takes no file of another owner or mode. SQLite gives its WAL the mode of the file. */
function makeAgain(file: string): DatabaseSync {
  for (const suffix of ['', ...SIDE_FILES]) rmSync(file + suffix, { force: true });
  closeSync(openSync(file, 'ax', 0o600));
  return openFile(file, FORMAT, OPTIONS);
}

/** Whether there is no file, or an empty one, or a symbolic link to nothing. */
function isVacant(file: string): boolean {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined || (stats.isFile() && stats.size === 0);
}

/** Whether a database has no tables and no mark of a program. Only its `user_version` may be set. */
function isBlank(file: string): boolean {
  const db = new DatabaseSync(file);
  try {
    const id = db.prepare('PRAGMA application_id').get()?.['application_id'];
    return id === 0 && db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'] === 0;
  } finally {
    closeQuietly(db);
  }
}

/**
 * Reads the whole file once, which is cheaper than reading the log. It finds damaged pages before a query meets them.
 */
function isIntact(db: DatabaseSync): boolean {
  try {
    return db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'] === 'ok';
  } catch (error) {
    if (isDamage(error)) return false;
    closeQuietly(db);
    throw error;
  }
}
