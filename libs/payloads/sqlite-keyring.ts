import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, realpathSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import { codeOf } from '../sqlite-file/codes.js';
import { holdLock } from '../sqlite-file/hold-lock.js';
import { PlaceGuard, placeMemory } from '../sqlite-file/place-guard.js';
import { closeQuietly, openFile, WrongFile, type FileFormat } from '../sqlite-file/open-file.js';
import { KEY_BYTES, KeyringUnavailable, KeyShredded, type Keyring } from './keyring.js';
import type { Pseudonym } from './pseudonym.js';
import { prepareUsers, USERS_SCHEMA, UsersTable } from './users-table.js';

/** Keys kept in memory; the least recently used key is read from the file again. */
const MAX_CACHED_KEYS = 10_000;
/** Users kept in memory with their pseudonyms; the least recently used one is read from the file again. */
const MAX_CACHED_USERS = 10_000;
/** Tasks and users whose keys may wait for one fsync. */
const MAX_WAITING = 4_096;

/** Since version 3. */
const CONDEMNED_SCHEMA = 'CREATE TABLE condemned (task_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;';

const FORMAT: FileFormat = {
  /** "slky" in ASCII. */
  applicationId: 0x736c6b79,
  version: 3,
  /**
   * The row id only grows, and keys are nowhere but in the table: rows are added at the end of the last page, so SQLite
   * never copies a key to another page, and `secure_delete` zeroes its only place. A shredded key is NULL.
   */
  schema: `CREATE TABLE keys (id INTEGER PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, key BLOB) STRICT;
    ${USERS_SCHEMA} ${CONDEMNED_SCHEMA}`,
  upgrades: { 1: USERS_SCHEMA, 2: CONDEMNED_SCHEMA },
};

const OPTIONS = {
  // For the moment in which a backup reads the keys.
  timeoutMs: 1_000,
  // NORMAL: commits do not block this thread on the disk. `SqliteKeyring` syncs the WAL before it answers.
  pragmas: 'PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON',
} as const;

/** A write that waits for the next transaction. */
interface Waiting {
  /** Runs in the transaction. */
  readonly write: () => void;
  /** Called once everything in the transaction is durable. */
  readonly done: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * The keyring in a SQLite file of its own (mode 0600), for this process alone. Throws `KeyringUnavailable` with one line
 * for an operator.
 */
export async function openKeyring(file: string): Promise<Keyring> {
  let db: DatabaseSync | undefined;
  let lock: { release(): void } | undefined;
  try {
    // First, because SQLite gives the same mode to the files that it makes next to it.
    if (existsSync(file)) chmodSync(file, 0o600);
    // A key that a second keyring had cached could outlive its shredding here. A backup only reads, and needs no lock.
    lock = holdLock(existsSync(file) ? realpathSync(file) : file);
    db = openFile(file, FORMAT, OPTIONS);
    prepareUsers(db);
    // Makes durable what a killed process may have left in the page cache, and the new file itself.
    foldWal(db);
    const guard = new PlaceGuard(realpathSync(file), placeMemory());
    guard.opened();
    return new SqliteKeyring(db, await open(`${file}-wal`, 'r+'), lock, guard);
  } catch (error) {
    closeQuietly(db);
    lock?.release();
    throw openErrorOf(error, file);
  }
}

function openErrorOf(error: unknown, file: string): KeyringUnavailable {
  if (error instanceof KeyringUnavailable) return error;
  if (error instanceof WrongFile && error.fault === 'newer') {
    return new KeyringUnavailable(`${file} was written by a newer version of Sallyport`);
  }
  if (error instanceof WrongFile && error.fault !== 'no_wal') {
    return new KeyringUnavailable(`${file} is not a keyring`);
  }
  return new KeyringUnavailable(`the keys in ${file} cannot be opened: ${causeOf(error)}`);
}

class SqliteKeyring implements Keyring {
  private readonly cache = new LRUCache<string, Uint8Array>({ max: MAX_CACHED_KEYS });
  /** By user. All of them are durable. */
  private readonly pseudonyms = new LRUCache<string, Pseudonym>({ max: MAX_CACHED_USERS });
  private readonly users: UsersTable;
  private readonly waiting: Waiting[] = [];
  private flushing: Promise<void> | undefined;
  /** An fsync failed: its keys count as durable only once they have been folded into the main file. */
  private doubtful = false;
  private closed = false;

  constructor(
    private readonly db: DatabaseSync,
    private readonly wal: FileHandle,
    private readonly lock: { release(): void },
    private readonly guard: PlaceGuard,
  ) {
    this.users = new UsersTable(db);
  }

  async create(taskId: string, userId?: string): Promise<Uint8Array> {
    const key = await this.written(
      () => {
        const made = this.made(taskId);
        // A shredded task is not opened again, so its user gets nothing.
        const isOpened = made instanceof Uint8Array && userId !== undefined;
        return { made, pseudonym: isOpened ? (this.pseudonyms.get(userId) ?? this.users.add(userId)) : undefined };
      },
      ({ made, pseudonym }) => {
        if (userId !== undefined && pseudonym !== undefined) this.pseudonyms.set(userId, pseudonym);
        return made instanceof Uint8Array ? this.remember(taskId, made) : undefined;
      },
    );
    if (key === undefined) throw new KeyShredded();
    return key;
  }

  async pseudonymOf(userId: string): Promise<Pseudonym> {
    this.assertOpen();
    const remember = (pseudonym: Pseudonym) => {
      this.pseudonyms.set(userId, pseudonym);
      return pseudonym;
    };
    return this.pseudonyms.get(userId) ?? this.written(() => this.users.add(userId), remember);
  }

  async knownPseudonym(userId: string): Promise<Pseudonym | undefined> {
    this.assertOpen();
    return this.pseudonyms.get(userId) ?? guarded(() => this.users.pseudonymOf(userId));
  }

  async userOf(pseudonym: string): Promise<string | undefined> {
    this.assertOpen();
    return guarded(() => this.users.userOf(pseudonym));
  }

  holdsUser(pseudonym: string): boolean {
    this.assertOpen();
    return guarded(() => this.users.has(pseudonym));
  }

  async eraseUser(pseudonym: string): Promise<void> {
    await this.whenFlushed();
    guarded(() => {
      const userId = this.users.userOf(pseudonym);
      if (userId !== undefined) this.pseudonyms.delete(userId);
      this.users.erase(pseudonym);
      foldWal(this.db);
      this.guard.assertThere();
    });
  }

  async get(taskId: string): Promise<Uint8Array | undefined> {
    this.assertOpen();
    const cached = this.cache.get(taskId);
    if (cached !== undefined) return cached;
    // A key that another caller is creating is not durable yet, nor if its fsync failed.
    await this.flushing;
    const key = guarded(() => {
      this.settleDoubt();
      return this.stored(taskId);
    });
    return key instanceof Uint8Array ? this.remember(taskId, key) : undefined;
  }

  async shred(...taskIds: readonly string[]): Promise<void> {
    await this.whenFlushed();
    for (const taskId of taskIds) this.cache.delete(taskId);
    guarded(() => {
      this.commit([() => taskIds.forEach((taskId) => this.blank(taskId))]);
      // The WAL still holds the page as it was. Folding it overwrites the page in the main file and empties the WAL.
      foldWal(this.db);
      this.guard.assertThere();
    });
  }

  condemn(...taskIds: readonly string[]): Promise<void> {
    const add = this.db.prepare('INSERT OR IGNORE INTO condemned (task_id) VALUES (?)');
    return this.written(
      () => taskIds.forEach((taskId) => add.run(taskId)),
      () => undefined,
    );
  }

  spare(...taskIds: readonly string[]): Promise<void> {
    const remove = this.db.prepare('DELETE FROM condemned WHERE task_id = ?');
    return this.written(
      () => taskIds.forEach((taskId) => remove.run(taskId)),
      () => undefined,
    );
  }

  async condemned(): Promise<readonly string[]> {
    this.assertOpen();
    const rows = guarded(() => this.db.prepare('SELECT task_id FROM condemned').all());
    return rows.map((row) => String(row['task_id']));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    while (this.flushing !== undefined) await this.flushing;
    this.cache.clear();
    this.pseudonyms.clear();
    await this.wal.close();
    try {
      guarded(() => this.db.close());
    } finally {
      this.lock.release();
    }
  }

  /** Keys that are being created come first: a key must not be answered after it was destroyed. */
  private async whenFlushed(): Promise<void> {
    this.assertOpen();
    while (this.flushing !== undefined) await this.flushing;
    this.assertOpen();
  }

  /** Writes in the next transaction. Once that is durable, `keep` makes the answer. */
  private async written<Value, Kept>(write: () => Value, keep: (value: Value) => Kept): Promise<Kept> {
    this.assertOpen();
    if (this.waiting.length >= MAX_WAITING) throw new KeyringUnavailable('too many tasks wait for their keys');
    return new Promise((resolve, reject) => {
      let value: Value;
      this.waiting.push({ write: () => (value = write()), done: () => resolve(keep(value)), reject });
      this.flushing ??= this.flush().finally(() => (this.flushing = undefined));
    });
  }

  /** One transaction and one fsync, off this thread, for all callers that wait. */
  private async flush(): Promise<void> {
    await Promise.resolve(); // lets the writes of one turn gather, and `flushing` be set
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0);
      try {
        guarded(() => this.commit(group.map(({ write }) => write)));
        await this.sync();
        this.guard.assertThere();
        for (const { done } of group) done();
      } catch (error) {
        const failure = error instanceof KeyringUnavailable ? error : new KeyringUnavailable(causeOf(error));
        for (const { reject } of group) reject(failure);
      }
    }
  }

  private commit(writes: readonly Waiting['write'][]): void {
    this.settleDoubt();
    this.db.exec('BEGIN IMMEDIATE');
    try {
      for (const write of writes) write();
      this.db.exec('COMMIT');
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  private blank(taskId: string): void {
    this.db
      .prepare('INSERT INTO keys (task_id, key) VALUES (?, NULL) ON CONFLICT (task_id) DO UPDATE SET key = NULL')
      .run(taskId);
    this.db.prepare('DELETE FROM condemned WHERE task_id = ?').run(taskId);
  }

  private made(taskId: string): unknown {
    this.db
      .prepare('INSERT INTO keys (task_id, key) VALUES (?, ?) ON CONFLICT (task_id) DO NOTHING')
      .run(taskId, randomBytes(KEY_BYTES));
    return this.stored(taskId);
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
    this.cache.set(taskId, key);
    return key;
  }

  private assertOpen(): void {
    if (this.closed) throw new KeyringUnavailable('the keyring is closed');
  }
}

/** Syncs the WAL, copies it into the main file, syncs that, and empties the WAL. Throws if any of it failed. */
function foldWal(db: DatabaseSync): void {
  const { busy } = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() ?? {};
  if (busy !== 0) throw new KeyringUnavailable('the keys could not be written to their file');
}

function guarded<Value>(action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    if (error instanceof KeyringUnavailable) throw error;
    throw new KeyringUnavailable(`the keys cannot be read or written: ${causeOf(error)}`);
  }
}

/** A code, or words for the only cause that an operator can remove. */
function causeOf(error: unknown): string {
  const code = codeOf(error);
  return code === 'SQLITE_BUSY' ? 'another process is using them' : code;
}
