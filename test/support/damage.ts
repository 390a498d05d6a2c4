import { DatabaseSync } from 'node:sqlite';
import type { Chance } from './chance.js';

/** An event of a log as its row has it. */
export interface Row {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly category: string;
  readonly type: string;
  readonly json: string;
}

/** A statement that damages one event, without an id that fits. */
export interface Damage extends Row {
  readonly what: string;
  readonly sql: string;
  readonly values: (string | number)[];
}

/** All events of a log, in order. */
export function eventsOf(file: string): Row[] {
  const db = new DatabaseSync(file, { timeout: 5_000 });
  try {
    const sql = `SELECT position, name AS stream, revision, category, type, json
      FROM events JOIN streams ON streams.id = stream_id ORDER BY position`;
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }) as unknown as Row);
  } finally {
    db.close();
  }
}

/** One of the ways in which a disk, or a hand, damages an event. `canary` gets into every text that is changed. */
export function damageOf(row: Row, chance: Chance, canary: string): Damage {
  const { position, json, type } = row;
  const text = (what: string, changed: string): Damage => ({
    ...row,
    what,
    sql: 'UPDATE events SET json = ? WHERE position = ?',
    values: [changed, position],
  });
  return chance.of([
    () => text('a member is changed', json.replace(/"actor":"[^"]*"/, `"actor":"${canary}"`)),
    () => text('a decision is turned', turned(json, canary)),
    () => text('no JSON', `${json.slice(0, json.length / 2)}${canary}`),
    () => text('nothing', ''),
    () => text('no object', `"${canary}"`),
    (): Damage => ({
      ...row,
      what: 'another type',
      sql: 'UPDATE events SET type = ? WHERE position = ?',
      values: [type === 'CallDecided' ? 'ResponseValidated' : 'CallDecided', position],
    }),
  ])();
}

/** The most dangerous one: a text that reads as another decision. */
function turned(json: string, canary: string): string {
  const changed = json.includes('"deny"') ? json.replace('"deny"', '"allow"') : json.replace('"allow"', '"deny"');
  return changed.replace('"schemaVersion"', `"note":"${canary}","schemaVersion"`);
}
