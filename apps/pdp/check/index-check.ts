import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { codeOf } from '../../../libs/sqlite-file/codes.js';

/**
 * Compares the rows of the index of calls with the decisions of the log (positions to revisions). Decisions after the
 * position that the index has reached are left out. Returns the number of rows; 0 if there is no index, because the service makes it again.
 */
export function checkIndex(
  file: string,
  decided: ReadonlyMap<number, number>,
  damaged: (place: string) => void,
): number {
  if (!existsSync(file)) return 0;
  try {
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      return compare(db, decided, damaged);
    } finally {
      db.close();
    }
  } catch (error) {
    damaged(`the index of calls: cannot be read (${codeOf(error)})`);
    return 0;
  }
}

function compare(db: DatabaseSync, decided: ReadonlyMap<number, number>, damaged: (place: string) => void): number {
  const reached = Number(db.prepare('SELECT position FROM mark').get()?.['position'] ?? 0);
  const indexed = new Set<number>();
  for (const row of db
    .prepare('SELECT position, revision FROM calls WHERE position <= ? ORDER BY position')
    .iterate(reached)) {
    const position = Number(row['position']);
    if (indexed.has(position)) damaged(`the index of calls: position ${position} occurs twice`);
    indexed.add(position);
    if (decided.get(position) !== Number(row['revision']))
      damaged(`the index of calls: position ${position} is no such decision of the log`);
  }
  for (const position of decided.keys())
    if (position <= reached && !indexed.has(position))
      damaged(`the index of calls: the decision at position ${position} is missing`);
  return indexed.size;
}
