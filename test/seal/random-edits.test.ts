import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { parseEvent, type Event } from '../../libs/event-log/event.js';
import { reseal, sealedFolder, type Falsified, type SealedFolder } from './ground.js';
import { after, before, test } from '../support/testing.js';

/** `SALLYPORT_FUZZ_RUNS=10000` is the long form. */
const RUNS = Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? '25');

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
const kind = fc.constantFrom('data', 'head', 'delete', 'swap', 'payload');

/** Makes one change, and returns the way back. */
function falsify(db: DatabaseSync, what: string, seed: number): () => void {
  const rows = db
    .prepare('SELECT position, stream_id, revision, category, type, json FROM events ORDER BY position')
    .all();
  const row = rows[seed % rows.length] ?? {};
  const [position, json] = [Number(row['position']), String(row['json'])];
  const event = parseEvent(json);
  const put = db.prepare('UPDATE events SET json = ? WHERE position = ?');
  const back = () => void put.run(json, position);
  if (what === 'payload') {
    const [found] = db.prepare('SELECT position, bytes FROM payloads ORDER BY position LIMIT 1 OFFSET ?').all(seed % 5);
    const bytes = Buffer.from(found?.['bytes'] as Uint8Array);
    bytes[seed % bytes.length] = (bytes[seed % bytes.length] ?? 0) ^ 0x40;
    const write = db.prepare('UPDATE payloads SET bytes = ? WHERE position = ?');
    write.run(bytes, Number(found?.['position']));
    return () => void write.run(found?.['bytes'] as Uint8Array, Number(found?.['position']));
  }
  if (what === 'delete') {
    db.prepare('DELETE FROM events WHERE position = ?').run(position);
    const cells = ['position', 'stream_id', 'revision', 'category', 'type', 'json'].map((name) => row[name] ?? null);
    return () => void db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)').run(...cells);
  }
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
  if (what === 'data' || isSeal(event)) reseal(db, { position, json }, ({ data }) => ({ data: bent(data, seed) }));
  else
    reseal(db, { position, json }, () =>
      seed % 2 === 0 ? { actor: `${event.actor}x` } : { time: '2027-01-01T00:00:00.000Z' },
    );
  return back;
}

test('no random edit of a sealed log is missed', { timeoutMs: 3_600_000 }, (t) => {
  let edits = 0;
  fc.assert(
    fc.property(kind, fc.nat(), (what, seed) => {
      let back = (): void => undefined;
      copy.edit((db) => {
        back = falsify(db, what, seed);
        edits += 1;
        assert.notDeepEqual(copy.check().damages, [], `${what} ${seed} was missed`);
        back();
      });
    }),
    { numRuns: RUNS },
  );
  assert.deepEqual(copy.check().damages, []);
  t.diagnostic(`${edits} random edits, 0 missed`);
});
