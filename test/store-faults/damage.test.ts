import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { digestOfBytes } from '../../libs/kernel/digest.js';
import { LogUnavailable, type EventLog } from '../../libs/event-log/port.js';
import { batch, committed, dataOf, write } from '../contracts/facts.js';
import { fill, inPlace } from './place.js';
import { test } from '../support/testing.js';

const EVENTS = 200;

test('a page that is damaged is found at the latest when it is read, and never read as something else', () =>
  inPlace(async (place) => {
    await fill(place, EVENTS);
    const whole = readFileSync(place.file);
    const pages = whole.length / 4_096;
    let found = 0;
    for (let page = 1; page < pages; page += Math.ceil(pages / 12)) {
      const bytes = Buffer.from(whole);
      for (let at = page * 4_096; at < (page + 1) * 4_096; at += 64) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
      writeFileSync(place.file, bytes);
      found += await faultsIn(place.open);
    }
    assert.ok(found > 0);
    writeFileSync(place.file, whole);
    assert.equal(await faultsIn(place.open), 0);
  }));

/** Reads and appends wherever it can: all must be right, or fail as the port says. Answers how many failed. */
async function faultsIn(open: () => Promise<EventLog>): Promise<number> {
  let log: EventLog;
  try {
    log = await open();
  } catch {
    return 1;
  }
  let faults = 0;
  const unlessDamaged = async (check: () => Promise<void>) => {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error;
      faults += 1;
    }
  };
  await unlessDamaged(async () => assert.equal((await log.readAll({ after: 0n, limit: EVENTS })).length, EVENTS));
  for (let stream = 0; stream < 5; stream += 1) {
    await unlessDamaged(async () => {
      const indices = (await log.read(`calls-${stream}`)).map((event) => (dataOf(event) as { index: number }).index);
      assert.deepEqual(
        indices,
        Array.from({ length: EVENTS / 5 }, (_, at) => at * 5 + stream),
      );
    });
    await unlessDamaged(async () => assert.equal(await log.head(`calls-${stream}`), EVENTS / 5));
    // With the check that an allow would have: never passed on the strength of a wrong head.
    const stale = await log.append(batch([write('task-1', 0, 1)], [{ stream: `calls-${stream}`, expected: 3 }]));
    assert.notEqual(stale.kind, 'committed');
    if (stale.kind === 'unknown') faults += 1;
  }
  await log.close();
  return faults;
}

test('a changed character that SQLite does not notice is noticed, and its position is named', () =>
  inPlace(async (place) => {
    await fill(place, 20);
    const log = await place.open();
    assert.equal((await log.read('calls-2')).length, 4);
    change(place.file, `UPDATE events SET json = replace(json, '"index":12', '"index":13') WHERE position = 13`);
    for (const reading of [log.read('calls-2'), log.readAll({ after: 0n })]) {
      await assert.rejects(reading, { name: 'LogUnavailable', message: /position 13 is damaged/ });
    }
    // Whole events can be read. Streams without a damaged event accept appends.
    assert.equal((await log.read('calls-2', 3)).length, 1);
    assert.equal((await log.readAll({ after: 13n })).length, 7);
    await committed(log, write('calls-2', 4, 'next'));

    change(place.file, `UPDATE events SET json = replace(json, '"index":12', '"index":13')`);
    change(place.file, `UPDATE events SET json = replace(json, '"index":13', '"index":12') WHERE position = 13`);
    assert.equal((await log.read('calls-2')).length, 5);
  }));

test('an event under another stream, revision, category or type than its own is noticed', () =>
  inPlace(async (place) => {
    await fill(place, 20);
    const log = await place.open();
    for (const [set, back] of [
      ['stream_id = 1, revision = 90', 'stream_id = 3, revision = 4'],
      ['revision = 91', 'revision = 4'],
      [`category = 'directives'`, `category = 'calls'`],
      [`type = 'Else'`, `type = 'Happened'`],
    ]) {
      change(place.file, `UPDATE events SET ${set} WHERE position = 18`);
      await assert.rejects(log.readAll({ after: 0n }), /position 18 is damaged/);
      change(place.file, `UPDATE events SET ${back} WHERE position = 18`);
    }
    assert.equal((await log.readAll({ after: 0n })).length, 20);
    change(place.file, 'DELETE FROM events WHERE position = 13');
    await assert.rejects(log.read('calls-2'), /before position 18 is missing/);
  }));

test('no head is believed without its event, and a damaged stream does not disturb its neighbours', () =>
  inPlace(async (place) => {
    await fill(place, 20);
    change(place.file, `UPDATE events SET revision = 9 WHERE position = 18`);
    const log = await place.open();
    const outcomes = await Promise.all([
      log.append(batch([write('calls-0', 4, 'next')])),
      log.append(batch([write('task-1', 0, 1)], [{ stream: 'calls-2', expected: 9 }])),
      log.append(batch([write('calls-2', 9, 'next')])),
      log.append(batch([write('calls-1', 4, 'next')])),
    ]);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['committed', 'unknown', 'unknown', 'committed'],
    );
    assert.deepEqual(outcomes[1], { kind: 'unknown', cause: 'DAMAGED' });
    await assert.rejects(log.head('calls-2'), LogUnavailable);
    assert.equal(await log.head('calls-0'), 5);
  }));

test('a blob that is not what its digest says is noticed', () =>
  inPlace(async ({ file, open }) => {
    const log = await open();
    const bytes = Buffer.from('{"tools":[]}');
    const digest = digestOfBytes(bytes);
    await log.append({ ...batch([write('capability-a', 0, 1)]), blobs: [{ digest, bytes }] });
    change(file, `UPDATE blobs SET bytes = CAST('{"tools":{}}' AS BLOB)`);
    await assert.rejects(log.blob(digest), { name: 'LogUnavailable', message: /is damaged/ });
  }));

test('a follower reports damage, waits before it, and goes on when it is healed', () =>
  inPlace(async (place) => {
    await fill(place, 10);
    change(place.file, `UPDATE events SET type = 'Else' WHERE position = 6`);
    const log = await place.open();
    const seen: bigint[] = [];
    const { promise: reported, resolve: report } = Promise.withResolvers<unknown>();
    const { promise: caughtUp, resolve: end } = Promise.withResolvers<bigint>();
    const subscription = log.subscribe(
      { after: 0n },
      {
        onEvents: (events) => void seen.push(...events.map(({ position }) => position)),
        onCaughtUp: end,
        onError: report,
      },
    );
    assert.ok((await reported) instanceof LogUnavailable);
    assert.deepEqual(seen, []);
    change(place.file, `UPDATE events SET type = 'Happened' WHERE position = 6`);
    assert.equal(await caughtUp, 10n);
    assert.equal(seen.length, 10);
    await subscription.close();
  }));

/** Changes rows behind the log's back, as a failing disk would, and leaves SQLite's own structure whole. */
function change(file: string, sql: string): void {
  const db = new DatabaseSync(file, { timeout: 1_000 });
  db.exec(sql);
  db.close();
}
