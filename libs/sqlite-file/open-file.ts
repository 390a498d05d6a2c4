import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** The content of a file and its mark. */
export interface FileFormat {
  /** Four bytes in the header that mark the file as ours. */
  readonly applicationId: number;
  readonly version: number;
  /** SQL that makes all tables of `version` in a new file. */
  readonly schema: string;
  /** By version: SQL that brings a file to the next one. A file of a version without an upgrade is refused as `older`. */
  readonly upgrades?: Readonly<Record<number, string>>;
}

/**
 * Why a file is not opened. Nothing in it was changed.
 * - `foreign`: a database of another program   - `newer`, `older`: another version of the format
 * - `no_tables`: ours, but it has lost its tables   - `no_wal`: its file system does not support a write-ahead log
 */
export class WrongFile extends Error {
  override readonly name = 'WrongFile';

  constructor(
    readonly fault: 'foreign' | 'newer' | 'older' | 'no_tables' | 'no_wal',
    /** The version of the format that the file has, and the one that was asked for. */
    readonly versions: { readonly found: number; readonly current: number },
  ) {
    super(`the file cannot be used: ${fault}`);
  }
}

export interface OpenOptions {
  /** How long SQLite waits for a lock that another connection holds. */
  readonly timeoutMs: number;
  /** Run before anything is read. */
  readonly firstPragmas?: string;
  /** Run after the file has been recognised and is in WAL mode. */
  readonly pragmas: string;
}

/**
 * Opens a database file in WAL mode. A new file gets its tables and mode 0600, which SQLite also gives to its WAL; an
 * older one is upgraded. Throws `WrongFile` and the errors of SQLite and the file system.
 */
export function openFile(path: string, format: FileFormat, options: OpenOptions): DatabaseSync {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  const db = new DatabaseSync(path, { timeout: options.timeoutMs });
  try {
    if (options.firstPragmas !== undefined) db.exec(options.firstPragmas);
    // Before anything is changed: the file may belong to another program.
    const version = versionOf(db, format);
    if (db.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'] !== 'wal') {
      throw new WrongFile('no_wal', { found: version ?? format.version, current: format.version });
    }
    db.exec(options.pragmas);
    if (version === undefined) create(db, format);
    else upgrade(db, format, version);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/** The version of the format that a file has; undefined if the file is new and empty. Throws `WrongFile`. */
export function versionOf(
  db: DatabaseSync,
  { applicationId, version: current, upgrades = {} }: FileFormat,
): number | undefined {
  const id = db.prepare('PRAGMA application_id').get()?.['application_id'];
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  const versions = { found: version, current };
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'];
  if (id === 0 && version === 0 && tables === 0) return undefined;
  if (id !== applicationId) throw new WrongFile('foreign', versions);
  if (version > current) throw new WrongFile('newer', versions);
  if (version < current && upgrades[version] === undefined) throw new WrongFile('older', versions);
  if (tables === 0) throw new WrongFile('no_tables', versions);
  return version;
}

/** Closes a connection. A broken one may fail to close, which says nothing new. */
export function closeQuietly(db: { close(): void } | undefined): void {
  try {
    db?.close();
  } catch {
    // Nothing else can be done with it.
  }
}

function create(db: DatabaseSync, { applicationId, version, schema }: FileFormat): void {
  db.exec(`BEGIN IMMEDIATE; ${schema}
    PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}; COMMIT`);
}

function upgrade(db: DatabaseSync, { version, upgrades = {} }: FileFormat, from: number): void {
  for (let at = from; at < version; at += 1) {
    db.exec(`BEGIN IMMEDIATE; ${upgrades[at] ?? ''} PRAGMA user_version = ${at + 1}; COMMIT`);
  }
}
