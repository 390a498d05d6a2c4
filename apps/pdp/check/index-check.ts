import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { INDEX_CATEGORIES } from '../../../libs/audit/index/call-index.js';
import { Insertion } from '../../../libs/audit/index/insertion.js';
import type { Cell } from '../../../libs/audit/index/messages.js';
import { openScratchIndex, TABLES } from '../../../libs/audit/index/schema.js';
import { markOf } from '../../../libs/audit/index/store.js';
import type { WalkedEvent } from '../../../libs/event-log/sqlite/log-walk.js';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { compareTable } from './index-tables.js';

/** Events that are added to the second index at once. */
const BATCH = 500;
/** SQLite waits this long for a lock that the service holds, in milliseconds. */
const BUSY_MS = 1_000;

/**
 * Compares the index of calls with the log. It makes a second index from the log, up to the event that the first one has
 * reached, and compares both row by row. The chain of each stream is that of the completeness map. Open it before the log,
 * because the index of a running service is behind the log and never ahead.
 */
export class IndexCheck {
  private readonly index: DatabaseSync | undefined;
  private readonly reached: bigint = 0n;
  private readonly built = openScratchIndex();
  private readonly insertion = new Insertion(this.built);
  private cells: Cell[] = [];
  private last: { readonly position: bigint; readonly stream: string; readonly revision: number } | undefined;
  /** Streams with an event that is not whole: the first index may hold what the log no longer says. */
  private readonly broken = new Set<string>();

  private readonly damages: string[] = [];

  constructor(file: string) {
    if (!existsSync(file)) return;
    try {
      this.index = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
      // One snapshot for the mark and all rows.
      this.index.exec('BEGIN');
      this.reached = markOf(this.index)?.position ?? 0n;
    } catch (error) {
      this.unreadable(error);
    }
  }

  /** Takes the next event of the log. */
  add({ position, stream, revision, category, type, json }: WalkedEvent, isWhole: boolean): void {
    const at = BigInt(position);
    if (at > this.reached || !INDEX_CATEGORIES.includes(category)) return;
    const name = stream ?? '';
    if (!isWhole) this.broken.add(name);
    this.cells.push(at, name, revision, type, json);
    this.last = { position: at, stream: name, revision };
    if (this.cells.length >= BATCH * 5) this.flush();
  }

  /**
   * Compares the two. `decided` are the positions of the decisions in the log, with their revisions. If the log is not whole,
   * only the decisions and the chains of whole streams can be compared. Answers how many rows of calls the index has.
   */
  end(
    decided: ReadonlyMap<number, number>,
    isLogWhole: boolean,
  ): { readonly rows: number; readonly damages: readonly string[] } {
    let rows = 0;
    try {
      this.flush();
      if (this.index !== undefined) rows = this.compared(this.index, decided, isLogWhole);
    } catch (error) {
      this.unreadable(error);
    }
    return { rows, damages: this.damages };
  }

  close(): void {
    for (const db of [this.index, this.built]) if (db?.isOpen === true) db.close();
  }

  private flush(): void {
    if (this.last === undefined || this.cells.length === 0) return;
    this.insertion.insert(this.cells, { ...this.last, id: '' });
    this.cells = [];
  }

  private compared(index: DatabaseSync, decided: ReadonlyMap<number, number>, isLogWhole: boolean): number {
    const rows = compareCalls(index, decided, Number(this.reached), (place) => this.damages.push(place));
    // The mark is of the newest event, whose id the second index does not have.
    const tables = isLogWhole ? TABLES.filter((table) => table !== 'mark') : ['streams'];
    for (const table of tables) {
      const found = compareTable(index, this.built, table, (key) => table !== 'streams' || !this.broken.has(key));
      for (const { key, what } of found) this.damages.push(`${table} ${key}: ${what}`);
    }
    return rows;
  }

  private unreadable(error: unknown): void {
    this.damages.push(`cannot be read (${codeOf(error)})`);
  }
}

/** Each decision of the log is there once, and no other. */
function compareCalls(
  index: DatabaseSync,
  decided: ReadonlyMap<number, number>,
  reached: number,
  told: (place: string) => void,
): number {
  const indexed = new Set<number>();
  const rows = index.prepare('SELECT position, revision FROM calls WHERE position <= ? ORDER BY position');
  for (const row of rows.iterate(reached)) {
    const position = Number(row['position']);
    if (indexed.has(position)) told(`position ${position} occurs twice`);
    indexed.add(position);
    if (decided.get(position) !== Number(row['revision'])) told(`position ${position} is no such decision of the log`);
  }
  for (const position of decided.keys())
    if (position <= reached && !indexed.has(position)) told(`the decision at position ${position} is missing`);
  return indexed.size;
}
