import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { HASH_BYTES, sameHash, type Hash } from '../../../libs/transparency/hash.js';
import { TILE_HEIGHT, TILE_WIDTH, tilePath } from '../../../libs/transparency/tiles.js';

/** SQLite waits this long for a lock that the service holds, in milliseconds. */
const BUSY_MS = 1_000;

/**
 * Compares the tiles in the file of the sealer with the tree that the events of the log make. Auditors and monitors get the
 * tiles as they are in the file.
 */
export class TileCheck {
  private readonly db: DatabaseSync | undefined;
  private readonly size: number = 0;
  private readonly held = new Map<number, { readonly index: number; readonly hashes: Uint8Array }>();
  private wrong = 0;
  private first: string | undefined;

  constructor(file: string) {
    if (!existsSync(file)) return;
    try {
      this.db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
      // One snapshot, also while the service adds to it.
      this.db.exec('BEGIN');
      this.size = Number(this.db.prepare('SELECT size FROM state').get()?.['size'] ?? 0);
    } catch (error) {
      this.first = `the file of the sealer cannot be read (${codeOf(error)})`;
      this.close();
    }
  }

  /** Takes a node of the tree once it is complete. */
  readonly onNode = (height: number, index: number, hash: Hash): void => {
    if (height % TILE_HEIGHT !== 0 || (index + 1) * 2 ** height > this.size || this.db?.isOpen !== true) return;
    const level = height / TILE_HEIGHT;
    const tile = Math.floor(index / TILE_WIDTH);
    const at = (index % TILE_WIDTH) * HASH_BYTES;
    if (sameHash(this.tile(level, tile).subarray(at, at + HASH_BYTES), hash)) return;
    this.wrong += 1;
    this.first ??= `${tilePath({ level, index: tile, width: TILE_WIDTH })} has another hash ${index % TILE_WIDTH} than the log`;
  };

  /** The damage, if there is one. */
  end(): string | undefined {
    if (this.first === undefined) return undefined;
    return `seal.db: ${this.first}${this.wrong > 1 ? `, and ${this.wrong - 1} more` : ''}: delete the file, a start makes it again`;
  }

  close(): void {
    if (this.db?.isOpen === true) this.db.close();
  }

  private tile(level: number, index: number): Uint8Array {
    const held = this.held.get(level);
    if (held?.index === index) return held.hashes;
    // Levels of tiles are below 8, so one number names a tile (`libs/seal/seal-file.ts`).
    const found = this.db?.prepare('SELECT hashes FROM tiles WHERE id = ?').get(index * 8 + level)?.['hashes'];
    const hashes = found instanceof Uint8Array ? found : new Uint8Array();
    this.held.set(level, { index, hashes });
    return hashes;
  }
}
