import type { DatabaseSync } from 'node:sqlite';

/** A row in which two databases differ. */
export interface DifferentRow {
  /** The values of its primary key. */
  readonly key: string;
  readonly what: string;
}

/** Rows of one table that are named. More of them say nothing new. */
const MAX_NAMED = 10;

type Row = Readonly<Record<string, unknown>>;

/**
 * The rows of a table that differ between a database and the one that is right, in order of the primary key. If a row is
 * missing or was put in, the rows after it are not compared. `counts` tells by its key whether a row counts.
 */
export function* compareTable(
  found: DatabaseSync,
  right: DatabaseSync,
  table: string,
  counts: (key: string) => boolean,
): Generator<DifferentRow> {
  const keys = right
    .prepare(`SELECT name FROM pragma_table_info('${table}') WHERE pk > 0 ORDER BY pk`)
    .all()
    .map((row) => String(row['name']));
  const [ours, theirs] = [rowsOf(right, table, keys), rowsOf(found, table, keys)];
  for (let named = 0; named < MAX_NAMED;) {
    const [expected, row] = [nextOf(ours), nextOf(theirs)];
    if (expected === undefined && row === undefined) return;
    const [a, b] = [expected, row].map((each) => (each === undefined ? undefined : keyOf(each, keys)));
    if (a !== b) {
      yield { key: b ?? a ?? '', what: 'a row is missing or was put in' };
      return;
    }
    const columns = Object.keys(expected ?? {}).filter((name) => !isSame(expected?.[name], row?.[name]));
    if (columns.length === 0 || !counts(a ?? '')) continue;
    named += 1;
    yield { key: a ?? '', what: `${columns.join(', ')} differ from the log` };
  }
}

function rowsOf(db: DatabaseSync, table: string, keys: readonly string[]): Iterator<unknown> {
  const statement = db.prepare(`SELECT * FROM ${table} ORDER BY ${keys.join(', ')}`);
  statement.setReadBigInts(true);
  return statement.iterate();
}

/** SQLite's iterators end with null. */
const nextOf = (rows: Iterator<unknown>): Row | undefined => (rows.next().value ?? undefined) as Row | undefined;

const keyOf = (row: Row, keys: readonly string[]): string => keys.map((name) => String(row[name])).join(' ');

function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return a === b;
}
