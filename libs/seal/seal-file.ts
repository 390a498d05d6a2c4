import { existsSync, rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { isDamage } from '../sqlite-file/codes.js';
import { closeQuietly, openFile, WrongFile, type FileFormat } from '../sqlite-file/open-file.js';
import { SIDE_FILES } from '../sqlite-file/side-files.js';
import { bucketOf, BUCKET_BITS } from '../transparency/completeness-map.js';
import type { MapLeaf } from '../transparency/completeness.js';
import { HASH_BYTES, type Hash } from '../transparency/hash.js';
import { nodesOfTiles, TILE_HEIGHT, TILE_WIDTH } from '../transparency/tiles.js';
import type { NodeReader } from '../transparency/tree.js';
import { NO_COUNTS, type Counts, type SealedStreams } from './ledger.js';

/** Everything in it follows from the log, so it is never believed and may be deleted at any time. */
const FORMAT: FileFormat = {
  /** "slse" in ASCII. */
  applicationId: 0x736c7365,
  version: 1,
  schema: `
    CREATE TABLE state (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      size INTEGER NOT NULL, revision INTEGER NOT NULL, through INTEGER NOT NULL,
      streams INTEGER NOT NULL, events INTEGER NOT NULL, tasks INTEGER NOT NULL, shredded INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE tiles (id INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
    CREATE TABLE streams (key BLOB PRIMARY KEY, revision INTEGER NOT NULL, chain BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
    CREATE TABLE ids (
      prefix INTEGER NOT NULL, position INTEGER NOT NULL, leaf INTEGER NOT NULL, PRIMARY KEY (prefix, position)
    ) STRICT, WITHOUT ROWID;
  `,
};

/** A crash of the machine may lose commits: the log has what they held. */
const OPTIONS = {
  timeoutMs: 0,
  pragmas: 'PRAGMA synchronous = NORMAL; PRAGMA cell_size_check = ON; PRAGMA cache_size = -16384',
} as const;

/** How far the file has got. */
export interface SealState extends Counts {
  readonly size: number;
  /** The revision of the last checkpoint in the stream `seal`. */
  readonly revision: number;
  /** The position of the last event in the tree. */
  readonly through: number;
}

const START: SealState = { size: 0, revision: 0, through: 0, ...NO_COUNTS };

/** Levels of tiles are below 8, so one number names a tile. */
const tileId = (level: number, index: number): number => index * 8 + level;

/** An event as proofs find it. */
export interface FoundLeaf {
  readonly position: number;
  readonly leaf: number;
}

/** Tiles, map and checkpoints in a file of their own. One connection; nobody else writes it. */
export class SealFile implements SealedStreams {
  private readonly sql: ReturnType<typeof statementsOf>;
  /** Hashes of tiles that have grown since `begin`. */
  private readonly grown = new Map<number, Hash[]>();

  private constructor(private readonly db: DatabaseSync) {
    this.sql = statementsOf(db);
  }

  /** Opens the file. One that is damaged or has another form is deleted and made again. */
  static open(file: string): SealFile {
    try {
      return new SealFile(openFile(file, FORMAT, OPTIONS));
    } catch (error) {
      if (error instanceof WrongFile && error.fault === 'foreign') throw error;
      if (!(error instanceof WrongFile) && !isDamage(error)) throw error;
      return SealFile.again(file);
    }
  }

  /** Deletes the file and makes an empty one. */
  static again(file: string): SealFile {
    for (const suffix of ['', ...SIDE_FILES]) if (existsSync(file + suffix)) rmSync(file + suffix);
    return new SealFile(openFile(file, FORMAT, OPTIONS));
  }

  get state(): SealState {
    const row = this.sql.state.get();
    if (row === undefined) return START;
    const cell = (name: keyof SealState): number => Number(row[name]);
    return {
      size: cell('size'),
      revision: cell('revision'),
      through: cell('through'),
      streams: cell('streams'),
      events: cell('events'),
      tasks: cell('tasks'),
      shredded: cell('shredded'),
    };
  }

  begin(): void {
    this.grown.clear();
    this.db.exec('BEGIN IMMEDIATE');
  }

  /** Keeps what was added since `begin`. */
  commit(state: SealState): void {
    for (const [id, hashes] of this.grown) {
      const before = this.sql.tile.get(id)?.['hashes'];
      this.sql.putTile.run(id, Buffer.concat([before instanceof Uint8Array ? before : Buffer.alloc(0), ...hashes]));
    }
    const { size, revision, through, streams, events, tasks, shredded } = state;
    this.sql.putState.run(size, revision, through, streams, events, tasks, shredded);
    this.sql.putCheckpoint.run(size, revision);
    this.db.exec('COMMIT');
    this.grown.clear();
  }

  rollback(): void {
    this.grown.clear();
    if (this.db.isTransaction) this.db.exec('ROLLBACK');
  }

  /** Takes a node of the growing tree. Tiles hold each eighth height. */
  readonly onNode = (height: number, index: number, hash: Hash): void => {
    if (height % TILE_HEIGHT !== 0) return;
    const id = tileId(height / TILE_HEIGHT, Math.floor(index / TILE_WIDTH));
    const hashes = this.grown.get(id);
    if (hashes === undefined) this.grown.set(id, [hash]);
    else hashes.push(hash);
  };

  /** The nodes of the tree at the last commit. */
  readonly node: NodeReader = (height, index) =>
    nodesOfTiles((level, number) => this.tile(level, number))(height, index);

  /** The hashes of a tile one after another, as of the last commit; empty if there is none. */
  tile(level: number, index: number): Uint8Array {
    const hashes = this.sql.tile.get(tileId(level, index))?.['hashes'];
    return hashes instanceof Uint8Array ? hashes : new Uint8Array();
  }

  putIds(ids: readonly { readonly id: string; readonly position: bigint; readonly leaf: number }[]): void {
    for (const { id, position, leaf } of ids) this.sql.putId.run(prefixOf(id), Number(position), leaf);
  }

  /** Events whose ids begin like this one: most often one. */
  withId(id: string): FoundLeaf[] {
    return this.sql.withId.all(prefixOf(id)).map((row) => ({
      position: Number(row['position']),
      leaf: Number(row['leaf']),
    }));
  }

  /** Revisions of checkpoints whose trees are larger than `size`, in order. */
  checkpointsAfter(size: number, limit: number): number[] {
    return this.sql.checkpointsAfter.all(size, limit).map((row) => Number(row['revision']));
  }

  find(key: Hash): MapLeaf | undefined {
    const row = this.sql.find.get(key);
    return row === undefined ? undefined : leafOf(row);
  }

  *filled(): Generator<readonly [number, readonly MapLeaf[]]> {
    let bucket: MapLeaf[] = [];
    for (const row of this.sql.allStreams.iterate()) {
      const leaf = leafOf(row);
      const [first] = bucket;
      if (first !== undefined && bucketOf(first.key) !== bucketOf(leaf.key)) {
        yield [bucketOf(first.key), bucket];
        bucket = [];
      }
      bucket.push(leaf);
    }
    const [first] = bucket;
    if (first !== undefined) yield [bucketOf(first.key), bucket];
  }

  bucket(number: number): readonly MapLeaf[] {
    const from = bucketStart(number);
    if (number + 1 === 2 ** BUCKET_BITS) return this.sql.lastBucket.all(from).map(leafOf);
    return this.sql.bucket.all(from, bucketStart(number + 1)).map(leafOf);
  }

  put(leaves: readonly MapLeaf[]): void {
    // In order of the tree of the table, so that neighbours share its pages.
    for (const { key, revision, chain } of [...leaves].sort((a, b) => bucketOf(a.key) - bucketOf(b.key)))
      this.sql.put.run(key, revision, chain);
  }

  close(): void {
    closeQuietly(this.db);
  }
}

const statementsOf = (db: DatabaseSync) => ({
  state: db.prepare('SELECT * FROM state'),
  putState: db.prepare(
    `INSERT OR REPLACE INTO state (one, size, revision, through, streams, events, tasks, shredded)
     VALUES (1, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  tile: db.prepare('SELECT hashes FROM tiles WHERE id = ?'),
  putTile: db.prepare('INSERT OR REPLACE INTO tiles (id, hashes) VALUES (?, ?)'),
  putCheckpoint: db.prepare('INSERT OR REPLACE INTO checkpoints (size, revision) VALUES (?, ?)'),
  checkpointsAfter: db.prepare('SELECT revision FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?'),
  putId: db.prepare('INSERT OR REPLACE INTO ids (prefix, position, leaf) VALUES (?, ?, ?)'),
  withId: db.prepare('SELECT position, leaf FROM ids WHERE prefix = ?'),
  allStreams: db.prepare('SELECT key, revision, chain FROM streams ORDER BY key'),
  find: db.prepare('SELECT key, revision, chain FROM streams WHERE key = ?'),
  bucket: db.prepare('SELECT key, revision, chain FROM streams WHERE key >= ? AND key < ? ORDER BY key'),
  lastBucket: db.prepare('SELECT key, revision, chain FROM streams WHERE key >= ? ORDER BY key'),
  put: db.prepare('INSERT OR REPLACE INTO streams (key, revision, chain) VALUES (?, ?, ?)'),
});

/** The first 48 bits of a UUID: a number that a double holds exactly. */
const prefixOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

function bucketStart(number: number): Buffer {
  const key = Buffer.alloc(HASH_BYTES);
  key.writeUInt16BE(number << (16 - BUCKET_BITS));
  return key;
}

const leafOf = (row: Readonly<Record<string, unknown>>): MapLeaf => ({
  key: row['key'] as Uint8Array,
  revision: Number(row['revision']),
  chain: row['chain'] as Uint8Array,
});
