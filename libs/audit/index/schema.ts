import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** "slix" in ASCII: marks the file as an index of calls. */
const APPLICATION_ID = 0x736c6978;
const SCHEMA_VERSION = 2;

/**
 * Names stand once and are numbers everywhere else. `seq` counts calls in order of the log, so that a rebuilt index
 * gives them the same numbers and cursors outlive it. Ids and codes only: no content, ever.
 */
const SCHEMA = `
  BEGIN IMMEDIATE;
  CREATE TABLE mark (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL, stream TEXT NOT NULL, revision INTEGER NOT NULL, id TEXT NOT NULL
  ) STRICT;
  CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE versions (
    id INTEGER PRIMARY KEY, capability INTEGER NOT NULL, version TEXT NOT NULL, UNIQUE (version, capability)
  ) STRICT;
  CREATE TABLE tasks (
    task INTEGER PRIMARY KEY, host INTEGER NOT NULL, user INTEGER NOT NULL, agent INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, closed_ms INTEGER
  ) STRICT;
  CREATE INDEX tasks_by_time ON tasks (opened_ms);
  CREATE INDEX tasks_by_host ON tasks (host, opened_ms);
  CREATE TABLE pins (
    version INTEGER NOT NULL, host INTEGER NOT NULL, expires_ms INTEGER NOT NULL, task INTEGER NOT NULL,
    PRIMARY KEY (version, host, expires_ms, task)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE calls (
    seq INTEGER PRIMARY KEY, position INTEGER NOT NULL, revision INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    task INTEGER NOT NULL, host INTEGER NOT NULL, capability INTEGER NOT NULL, version INTEGER,
    decision INTEGER NOT NULL, reason INTEGER NOT NULL,
    trace INTEGER -- of refused calls alone
  ) STRICT;
  CREATE INDEX calls_by_time ON calls (time_ms);
  CREATE INDEX calls_by_task ON calls (task, time_ms);
  CREATE INDEX calls_by_host ON calls (host, time_ms);
  CREATE INDEX calls_by_capability ON calls (capability, time_ms);
  CREATE INDEX calls_by_version ON calls (version, time_ms);
  CREATE INDEX calls_by_reason ON calls (reason, time_ms);
  CREATE INDEX refusals_by_trace ON calls (trace) WHERE trace IS NOT NULL;
  CREATE TABLE identities (
    identity INTEGER NOT NULL, time_ms INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (identity, time_ms, seq)
  ) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
  COMMIT;
`;

/**
 * Opens the index, and makes it anew where there is none, where it is of another schema version, or where it is damaged:
 * all that it holds is in the log. Throws where the file is a database of another program, or cannot be written.
 */
export function openIndexFile(file: string): DatabaseSync {
  const db = existsSync(file) ? openExisting(file) : undefined;
  if (db !== undefined) return db;
  discard(file);
  closeSync(openSync(file, 'ax', 0o600));
  const made = configured(file);
  try {
    made.exec(SCHEMA);
    return made;
  } catch (error) {
    made.close();
    throw error;
  }
}

/** Undefined where the file is of no use any more. */
function openExisting(file: string): DatabaseSync | undefined {
  let db: DatabaseSync | undefined;
  let use: 'keep' | 'discard' | 'foreign';
  try {
    db = new DatabaseSync(file);
    use = useOf(db);
    if (use === 'keep') db.exec(PRAGMAS);
  } catch (error) {
    if (!isDamage(error)) {
      closeQuietly(db);
      throw error;
    }
    use = 'discard';
  }
  if (use === 'keep') return db;
  closeQuietly(db);
  if (use === 'foreign') throw new Error('the file of the audit index is a database of another program');
  return undefined;
}

function useOf(db: DatabaseSync): 'keep' | 'discard' | 'foreign' {
  const applicationId = db.prepare('PRAGMA application_id').get()?.['application_id'];
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'];
  if (applicationId !== APPLICATION_ID) return applicationId === 0 && tables === 0 ? 'discard' : 'foreign';
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (version !== SCHEMA_VERSION) return 'discard';
  // Reads the whole file once, which is cheaper than the log, and finds pages that are damaged before an answer does.
  return db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'] === 'ok' ? 'keep' : 'discard';
}

/** What was committed may be lost with the machine, and is read from the log again. */
const PRAGMAS = 'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cell_size_check = ON';

function configured(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  db.exec(PRAGMAS);
  return db;
}

function discard(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
}

/** SQLITE_CORRUPT, SQLITE_NOTADB (https://sqlite.org/rescode.html). */
export function isDamage(error: unknown): boolean {
  const code = primaryCodeOf(error);
  return code === 11 || code === 26;
}

/** Nothing of the message, which may hold SQL or a path. */
export function codeOf(error: unknown): string {
  const code = primaryCodeOf(error);
  return code === undefined ? (error instanceof Error ? error.name : 'unknown') : `SQLite ${code}`;
}

function primaryCodeOf(error: unknown): number | undefined {
  const code = typeof error === 'object' && error !== null && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

function closeQuietly(db: DatabaseSync | undefined): void {
  try {
    db?.close();
  } catch {
    // It is let go either way.
  }
}
