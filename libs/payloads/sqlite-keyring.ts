import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { KEY_BYTES, KeyringUnavailable, KeyShredded, type Keyring } from './keyring.js';

/** Keys kept in memory; a task that is asked for again after this many others is read from the file. */
const MAX_CACHED_KEYS = 10_000;
/** Tasks whose keys may wait for one fsync. */
const MAX_WAITING = 4_096;

/** "slky" in ASCII. */
const APPLICATION_ID = 0x736c6b79;
const SCHEMA_VERSION = 1;

/**
 * A row id that only grows, and keys nowhere but in the table: rows are added at the end of the last page, so SQLite
 * never copies a key to another page, and `secure_delete` zeroes its only place. A shredded key is NULL.
 */
const SCHEMA = `
  BEGIN IMMEDIATE;
  CREATE TABLE keys (id INTEGER PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, key BLOB) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
  COMMIT;
`;

interface Waiting {
  readonly taskId: string;
  readonly resolve: (key: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The keyring in a SQLite file of its own (mode 0600), held by this process alone. Throws `KeyringUnavailable`, one
 * line for an operator.
 */
export async function openKeyring(file: string): Promise<Keyring> {
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // SQLite gives the files that it makes beside this one the same mode.
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
    db = openDatabase(file);
    return new SqliteKeyring(db, await open(`${file}-wal`, 'r+'));
  } catch (error) {
    closeQuietly(db);
    if (error instanceof KeyringUnavailable) throw error;
    throw new KeyringUnavailable(`the keys in ${file} cannot be opened: ${codeOf(error)}`);
  }
}

function openDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    // With this lock a second process finds the file busy, and a cached key cannot outlive its shredding elsewhere.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    const applicationId = db.prepare('PRAGMA application_id').get()?.['application_id'];
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'];
    const isNew = applicationId === 0 && version === 0 && tables === 0;
    if (!isNew && applicationId !== APPLICATION_ID) throw new KeyringUnavailable(`${file} is not a keyring`);
    if (version > SCHEMA_VERSION) throw new KeyringUnavailable(`${file} was written by a newer version of Sallyport`);
    // NORMAL: commits do not block this thread on the disk. `SqliteKeyring` syncs the WAL before it answers.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON');
    if (isNew) db.exec(SCHEMA);
    // Makes durable what a killed process may have left in the page cache, and the new file itself.
    foldWal(db);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

class SqliteKeyring implements Keyring {
  private readonly cache = new Map<string, Uint8Array>();
  private readonly waiting: Waiting[] = [];
  private flushing: Promise<void> | undefined;
  /** An fsync failed: what it covered counts as durable only once it has been folded into the main file. */
  private doubtful = false;
  private closed = false;

  constructor(
    private readonly db: DatabaseSync,
    private readonly wal: FileHandle,
  ) {}

  async create(taskId: string): Promise<Uint8Array> {
    this.assertOpen();
    if (this.waiting.length >= MAX_WAITING) throw new KeyringUnavailable('too many tasks wait for their keys');
    return new Promise((resolve, reject) => {
      this.waiting.push({ taskId, resolve, reject });
      this.flushing ??= this.flush().finally(() => (this.flushing = undefined));
    });
  }

  async get(taskId: string): Promise<Uint8Array | undefined> {
    this.assertOpen();
    const cached = this.cache.get(taskId);
    if (cached !== undefined) return this.remember(taskId, cached);
    // What another caller is having made is not durable yet, and no more so where its fsync failed.
    await this.flushing;
    const key = guarded(() => {
      this.settleDoubt();
      return this.stored(taskId);
    });
    return key instanceof Uint8Array ? this.remember(taskId, key) : undefined;
  }

  async shred(taskId: string): Promise<void> {
    this.assertOpen();
    // First what is being made: a key must not be answered after it was shredded.
    while (this.flushing !== undefined) await this.flushing;
    this.assertOpen();
    this.cache.delete(taskId);
    guarded(() => {
      this.db
        .prepare('INSERT INTO keys (task_id, key) VALUES (?, NULL) ON CONFLICT (task_id) DO UPDATE SET key = NULL')
        .run(taskId);
      // The WAL still holds the page as it was. Folding it overwrites the page in the main file and empties the WAL.
      foldWal(this.db);
    });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    while (this.flushing !== undefined) await this.flushing;
    this.cache.clear();
    await this.wal.close();
    guarded(() => this.db.close());
  }

  /** One transaction and one fsync, off this thread, for all that wait. */
  private async flush(): Promise<void> {
    await Promise.resolve(); // lets the creates of one turn gather, and `flushing` be set
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0);
      try {
        const keys = guarded(() => this.insert(group));
        await this.sync();
        group.forEach(({ taskId, resolve, reject }, index) => {
          const key = keys[index];
          if (key instanceof Uint8Array) resolve(this.remember(taskId, key));
          else reject(new KeyShredded());
        });
      } catch (error) {
        const failure = error instanceof KeyringUnavailable ? error : new KeyringUnavailable(codeOf(error));
        for (const { reject } of group) reject(failure);
      }
    }
  }

  private insert(group: readonly Waiting[]): unknown[] {
    this.settleDoubt();
    this.db.exec('BEGIN IMMEDIATE');
    try {
      const insert = this.db.prepare('INSERT INTO keys (task_id, key) VALUES (?, ?) ON CONFLICT (task_id) DO NOTHING');
      for (const { taskId } of group) insert.run(taskId, randomBytes(KEY_BYTES));
      this.db.exec('COMMIT');
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
    return group.map(({ taskId }) => this.stored(taskId));
  }

  private async sync(): Promise<void> {
    try {
      await this.wal.datasync();
    } catch (error) {
      this.doubtful = true;
      throw error;
    }
  }

  private settleDoubt(): void {
    if (this.doubtful) foldWal(this.db);
    this.doubtful = false;
  }

  private stored(taskId: string): unknown {
    return this.db.prepare('SELECT key FROM keys WHERE task_id = ?').get(taskId)?.['key'];
  }

  private remember(taskId: string, key: Uint8Array): Uint8Array {
    this.cache.delete(taskId);
    this.cache.set(taskId, key);
    if (this.cache.size > MAX_CACHED_KEYS) {
      const [oldest] = this.cache.keys();
      if (oldest !== undefined) this.cache.delete(oldest);
    }
    return key;
  }

  private assertOpen(): void {
    if (this.closed) throw new KeyringUnavailable('the keyring is closed');
  }
}

/** Syncs the WAL, copies it into the main file, syncs that, and empties the WAL. Throws where any of it failed. */
function foldWal(db: DatabaseSync): void {
  const { busy } = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() ?? {};
  if (busy !== 0) throw new KeyringUnavailable('the keys could not be written to their file');
}

function guarded<Value>(action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    if (error instanceof KeyringUnavailable) throw error;
    throw new KeyringUnavailable(`the keys cannot be read or written: ${codeOf(error)}`);
  }
}

/** A code and nothing of the message, which may hold SQL or a path. */
function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown';
  if ('errcode' in error && error.errcode === 5) return 'another process is using them';
  if ('errcode' in error) return `SQLite ${String(error.errcode)}`;
  return 'code' in error ? String(error.code) : 'unknown';
}

function closeQuietly(db: DatabaseSync | undefined): void {
  try {
    db?.close();
  } catch {
    // It is let go either way.
  }
}
