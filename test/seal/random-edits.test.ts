import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { parseEvent, type Event } from '../../libs/event-log/event.js';
import { reseal, sealedFolder, type Falsified, type SealedFolder } from './ground.js';
import { after, before, test } from '../support/testing.js';

/** `npm run bench:falsify` is the long form. */
const RUNS = Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? '42');

let folder: SealedFolder;
let copy: Falsified;
before(async () => {
  folder = await sealedFolder();
  copy = folder.copy();
});
after(() => folder.remove());

/** Any member of an event's data, changed: one more character, or the next number. */
function bent(value: unknown, seed: number): unknown {
  if (typeof value === 'string') return `${value}x`;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (typeof value !== 'object' || value === null) return 'x';
  const keys = Object.keys(value);
  const key = keys[seed % Math.max(1, keys.length)];
  if (key === undefined) return 'x';
  const inner = bent((value as Record<string, unknown>)[key], Math.floor(seed / keys.length));
  return Array.isArray(value)
    ? value.map((each, at) => (String(at) === key ? inner : each))
    : { ...value, [key]: inner };
}

const isSeal = ({ stream }: Event): boolean => stream === 'seal';
const KINDS = [
  'data',
  'head',
  'delete',
  'swap',
  'payload',
  'payload deleted',
  'key',
  'key deleted',
  'document',
  'document deleted',
  'index row',
  'index row deleted',
  'checkpoint',
  'tile',
] as const;
type Kind = (typeof KINDS)[number];

/** The way back from a change. */
type Undo = () => void;

/** Changes one cell of a table that is chosen by the seed, or deletes its row, and returns the way back. */
function falsifyRow(
  db: DatabaseSync,
  { table, column, where = '1' }: { table: string; column: string; where?: string },
  seed: number,
  change: 'flip' | 'delete',
): Undo {
  const rows = db.prepare(`SELECT rowid AS place, * FROM ${table} WHERE ${where} ORDER BY rowid`).all();
  const { place, ...row } = rows[seed % rows.length] ?? {};
  const cell = row[column];
  if (change === 'delete') {
    db.prepare(`DELETE FROM ${table} WHERE rowid = ?`).run(Number(place));
    const names = Object.keys(row);
    const insert = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
    return () => void db.prepare(insert).run(...Object.values(row));
  }
  const put = db.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`);
  put.run(flipped(cell, seed), Number(place));
  return () => void put.run(cell ?? null, Number(place));
}

function flipped(cell: unknown, seed: number): Uint8Array | number | string {
  if (typeof cell === 'number') return cell + 1 + (seed % 7);
  if (typeof cell === 'string') return `${cell}x`;
  const bytes = Buffer.from(cell as Uint8Array);
  const at = Math.floor(seed / 8) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (seed % 8));
  return bytes;
}

const PLACES: Partial<Record<Kind, readonly [file: string, table: string, column: string, where?: string]>> = {
  payload: ['sallyport.db', 'payloads', 'bytes'],
  'payload deleted': ['sallyport.db', 'payloads', 'bytes'],
  key: ['keys.db', 'keys', 'key', 'key IS NOT NULL'],
  'key deleted': ['keys.db', 'keys', 'key', 'key IS NOT NULL'],
  document: ['sallyport.db', 'blobs', 'bytes'],
  'document deleted': ['sallyport.db', 'blobs', 'bytes'],
  'index row': ['audit-index.db', 'calls', 'revision'],
  'index row deleted': ['audit-index.db', 'calls', 'revision'],
  tile: ['seal.db', 'tiles', 'hashes'],
};

/** Makes one change of an event, and returns the way back. */
function falsifyEvent(db: DatabaseSync, what: Kind, seed: number): Undo {
  const where = what === 'checkpoint' ? "category = 'seal'" : '1';
  const rows = db
    .prepare(`SELECT position, stream_id, revision, category, type, json FROM events WHERE ${where} ORDER BY position`)
    .all();
  const row = rows[seed % rows.length] ?? {};
  const [position, json] = [Number(row['position']), String(row['json'])];
  const event = parseEvent(json);
  const put = db.prepare('UPDATE events SET json = ? WHERE position = ?');
  const back = () => void put.run(json, position);
  if (what === 'delete') return falsifyRow(db, { table: 'events', column: 'json' }, seed, 'delete');
  if (what === 'swap') {
    const other = rows[(seed + 1) % rows.length] ?? {};
    put.run(String(other['json']), position);
    put.run(json, Number(other['position']));
    return () => {
      back();
      put.run(String(other['json']), Number(other['position']));
    };
  }
  // Time and actor of a checkpoint are not sealed: nothing rests on them.
  if (what !== 'head' || isSeal(event)) reseal(db, { position, json }, ({ data }) => ({ data: bent(data, seed) }));
  else
    reseal(db, { position, json }, () =>
      seed % 2 === 0 ? { actor: `${event.actor}x` } : { time: '2027-01-01T00:00:00.000Z' },
    );
  return back;
}

test('no random edit of a sealed data folder is missed', { timeoutMs: 7_200_000 }, (t) => {
  const edits = new Map<string, number>();
  const missed: string[] = [];
  const tryOne = (what: Kind, seed: number): void => {
    const [file = 'sallyport.db', table, column = '', where] = PLACES[what] ?? [];
    copy.edit((db) => {
      const place = table === undefined ? undefined : { table, column, ...(where === undefined ? {} : { where }) };
      const change = what.endsWith('deleted') ? 'delete' : 'flip';
      const back = place === undefined ? falsifyEvent(db, what, seed) : falsifyRow(db, place, seed, change);
      edits.set(what, (edits.get(what) ?? 0) + 1);
      if (copy.check().damages.length === 0) missed.push(`${what} ${seed}`);
      back();
    }, file);
  };
  // Each kind as often as the others.
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      for (const what of KINDS) tryOne(what, seed);
    }),
    { numRuns: Math.ceil(RUNS / KINDS.length) },
  );
  assert.deepEqual(copy.check().damages, []);
  const total = [...edits.values()].reduce((sum, count) => sum + count, 0);
  const counts = [...edits].map(([what, count]) => `${what} ${count}`).join(', ');
  t.diagnostic(`${total} random edits, ${missed.length} missed: ${counts}`);
  assert.deepEqual(missed, []);
});
