import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../libs/kernel/time.js';
import { LogUnavailable, OutcomeUnknown } from '../../libs/event-log/port.js';
import { settledLog } from '../../libs/event-log/settled.js';
import type { SqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import { batch, write } from '../contracts/facts.js';
import { inPlace, type Place } from './place.js';
import { test } from '../support/testing.js';

const PAD = 'x'.repeat(3_000);

test('a file that may not grow: unknown, nothing lost, and it goes on when there is room again', () =>
  inPlace(async (place) => {
    const maxPages = 300;
    await (await place.open()).close();
    // A table that is no part of the log takes up room, and leaves it free pages when it is emptied.
    const other = new DatabaseSync(place.file, { timeout: 1_000 });
    other.exec('CREATE TABLE filler (bytes BLOB)');
    for (let index = 0; index < 50; index += 1) other.exec('INSERT INTO filler VALUES (zeroblob(4000))');
    const log = await place.open({ maxPages });
    // A commit of mere checks needs no room in a file that may not grow. It needs some on a full disk.
    await fillsUpAndHeals(log, () => other.exec('DELETE FROM filler'), 'committed');
    other.close();
    await allReadableAfterwards(place, log);
  }));

test('a file system that is full: unknown, nothing lost, and it goes on when there is room again', (context) =>
  inPlace(async (place) => {
    const mount = join(place.folder, 'small');
    mkdirSync(mount);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      return context.skip('needs the right to mount a file system');
    }
    try {
      const filler = join(mount, 'filler');
      writeFileSync(filler, Buffer.alloc(1_000_000));
      const file = join(mount, 'log.db');
      const log = await place.open({ file });
      await fillsUpAndHeals(log, () => rmSync(filler), 'unwritten');
      await allReadableAfterwards({ ...place, open: () => place.open({ file }) }, log);
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  }));

/**
 * Appends until the disk is full, then makes room. Acknowledged batches must be there, and stops too. All other failed
 * batches must not.
 */
async function fillsUpAndHeals(
  log: SqliteLog,
  makeRoom: () => void,
  checked: 'committed' | 'unwritten',
): Promise<void> {
  const settled = settledLog(log, { clock: systemClock, deadlineMs: 150 });
  let revision = 0;
  let outcome = await log.append(batch([write('calls-1', 0, PAD)]));
  while (outcome.kind === 'committed' && revision < 1_000) {
    revision += 1;
    outcome = await log.append(batch([write('calls-1', revision, PAD)]));
  }
  assert.deepEqual(outcome, { kind: 'unknown', cause: 'SQLITE_FULL' });
  assert.ok(revision > 10);
  // Again and again, and alone or in a group: no other harm. If not even a transaction has room, the batch was not begun.
  const next = batch([write('calls-1', revision, PAD)]);
  assert.match((await log.append(next)).kind, /^(unknown|unwritten)$/);
  // A commit of mere checks is not answered either. Readiness and the repeat of an allow ask in this way.
  assert.equal((await log.append(batch([], [{ stream: 'calls-1', expected: revision }]))).kind, checked);
  assert.equal(await log.head('calls-1'), revision);
  const stop = { ...batch([write('calls-3', 0, PAD)]), standing: true };
  await Promise.all([
    assert.rejects(settled.append(next), LogUnavailable),
    assert.rejects(settled.append(stop), OutcomeUnknown),
  ]);

  makeRoom();
  // The first append to a stream learns the outcome of earlier batches: the usual one was not sent again, the stop was.
  const touching = batch([write('calls-2', 0, 1)], [{ stream: 'calls-1', expected: revision }]);
  assert.equal((await onceAvailable(() => settled.append(touching))).kind, 'committed');
  assert.equal(await log.head('calls-1'), revision);
  assert.equal(await onceAvailable(() => settled.head('calls-3')), 1);
  assert.equal((await settled.append(batch([write('calls-1', revision, 1)]))).kind, 'committed');
}

/** An attempt from before there was room may still be under way, and then one caller more hears that it failed. */
async function onceAvailable<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof LogUnavailable) || attempt === 20) throw error;
    }
  }
}

async function allReadableAfterwards({ open }: Pick<Place, 'open'>, log: SqliteLog): Promise<void> {
  const before = await log.readAll({ after: 0n, limit: 5_000 });
  await log.close();
  const reopened = await open();
  assert.deepEqual(await reopened.readAll({ after: 0n, limit: 5_000 }), before);
  await reopened.close();
}
