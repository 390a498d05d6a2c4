import type { DatabaseSync } from 'node:sqlite';
import { defined } from '../../kernel/defined.js';
import type { Reference } from './messages.js';

const STREAM = "iif(c.refused = 0, 'calls-' || task.name, 'refusals-' || host.name) AS stream";
/** The columns of `referenceOf`, of calls as `c`. */
export const COLUMNS = `c.seq, c.time_ms, CAST(c.position AS TEXT) AS position, c.revision, c.response, c.released, c.outcome, ${STREAM}`;
export const NAMED = 'JOIN names task ON task.id = c.task JOIN names host ON host.id = c.host';

/** The calls with these numbers, in order of the log. */
export function referencesOf(db: DatabaseSync, seqs: readonly number[]): Reference[] {
  const rows = db.prepare(
    `SELECT ${COLUMNS} FROM json_each(?) wanted CROSS JOIN calls c ON c.seq = wanted.value ${NAMED} ORDER BY c.seq`,
  );
  return rows.all(JSON.stringify(seqs)).map(referenceOf);
}

/** The calls that fulfil a condition, in the order that it names. */
export function references(
  db: DatabaseSync,
  condition: string,
  ...values: (number | bigint | Uint8Array)[]
): Reference[] {
  return db
    .prepare(`SELECT ${COLUMNS} FROM calls c ${NAMED} WHERE ${condition}`)
    .all(...values)
    .map(referenceOf);
}

export const referenceOf = (row: Readonly<Record<string, unknown>>): Reference => {
  const { response, released, outcome } = row;
  return defined({
    position: BigInt(row['position'] as string),
    stream: String(row['stream']),
    revision: Number(row['revision']),
    response: typeof response === 'number' ? response : undefined,
    released: typeof released === 'number' ? released : undefined,
    outcome: typeof outcome === 'number' ? outcome : undefined,
  });
};
