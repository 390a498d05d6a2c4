import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LogOpenError, type LogOpenCode } from '../../libs/event-log/sqlite/shared/errors.js';
import { openPruned } from '../../libs/event-log/sqlite/pruned.js';
import { SCHEMA_VERSION } from '../../libs/event-log/sqlite/worker/schema.js';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import { committed, write } from '../contracts/facts.js';
import { fill, inPlace } from './place.js';
import { test } from '../support/testing.js';

async function assertRefused(opening: Promise<unknown>, code: LogOpenCode, message: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof LogOpenError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

test('a file that is no database is refused and left as it was', () =>
  inPlace(async ({ file, open }) => {
    const text = 'Dear diary, this is no database. '.repeat(300);
    writeFileSync(file, text);
    await assertRefused(open(), 'not_a_database', /is not a database/);
    assert.equal(readFileSync(file, 'utf8'), text);
  }));

test('a damaged header is refused', () =>
  inPlace(async (place) => {
    await fill(place, 5);
    const bytes = readFileSync(place.file);
    bytes.fill(0x5a, 0, 16);
    writeFileSync(place.file, bytes);
    await assertRefused(place.open(), 'not_a_database', /header is damaged/);
    assert.deepEqual(readFileSync(place.file), bytes);
  }));

test('a file that was cut off is refused', () =>
  inPlace(async (place) => {
    await fill(place, 200);
    truncateSync(place.file, 40_960);
    await assertRefused(place.open(), 'damaged', /is damaged/);
  }));

test('a database of another program is refused and left as it was', () =>
  inPlace(async ({ file, open }) => {
    const db = new DatabaseSync(file);
    db.exec('CREATE TABLE recipes (name TEXT)');
    db.close();
    const before = readFileSync(file);
    await assertRefused(open(), 'foreign_database', /another program/);
    assert.deepEqual(readFileSync(file), before);
  }));

test('a log of a newer version is refused', () =>
  inPlace(async (place) => {
    await fill(place, 1);
    const db = new DatabaseSync(place.file);
    db.exec('PRAGMA user_version = 99');
    db.close();
    await assertRefused(place.open(), 'newer_schema', /schema 99/);
  }));

test('a folder in the place of the file, and a file in the place of a folder, are refused', () =>
  inPlace(async ({ folder }) => {
    await assertRefused(openSqliteLog({ file: folder }), 'not_a_database', /is not a file/);
    writeFileSync(join(folder, 'a-file'), '');
    await assertRefused(openSqliteLog({ file: join(folder, 'a-file', 'log.db') }), 'no_folder', /does not exist/);
  }));

test('a folder that is missing is never made: its volume may not be mounted', () =>
  inPlace(async ({ folder }) => {
    const file = join(folder, 'volume', 'log.db');
    await assertRefused(
      openSqliteLog({ file }),
      'no_folder',
      /the folder of .* does not exist\. Is its volume mounted\?/,
    );
    assert.ok(!existsSync(join(folder, 'volume')));
  }));

/**
 * Root writes to any file because it holds CAP_DAC_OVERRIDE. As root the log is opened by a process that gave that
 * capability up. It keeps root's identity, so it can still read a checkout that only root can enter.
 */
const BOUND_BY_MODES =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : undefined;

/** Why this machine cannot show what file modes refuse; undefined if it can. */
function withoutModes(): string | undefined {
  if (BOUND_BY_MODES === undefined) return process.platform === 'win32' ? 'Windows has no file modes' : undefined;
  const [program = '', ...options] = BOUND_BY_MODES;
  const { error, status } = spawnSync(program, [...options, 'true'], { stdio: 'ignore' });
  return error === undefined && status === 0 ? undefined : 'root needs setpriv (util-linux) to give up a capability';
}

test('a folder or a file that cannot be written is refused', { skip: withoutModes() ?? false }, () =>
  inPlace(async (place) => {
    await fill(place, 1);
    const open = async () => {
      const other = place.spawn(['once', place.file], BOUND_BY_MODES);
      const line = await other.line();
      await other.kill();
      return line;
    };
    assert.equal(await open(), 'open');

    chmodSync(place.file, 0o444);
    assert.match((await open()) ?? '', /^read_only: .* cannot be written: E[A-Z]+$/);
    chmodSync(place.file, 0o600);
    chmodSync(place.folder, 0o555);
    assert.match((await open()) ?? '', /^read_only: .* cannot be written: E[A-Z]+$/);
    chmodSync(place.folder, 0o700);
    assert.equal(await open(), 'open');
  }),
);

test('a second process is refused until the first has ended, however it ended', () =>
  inPlace(async ({ folder, file, open, spawn }) => {
    const first = spawn(['hold', file]);
    assert.equal(await first.line(), 'open');
    await assertRefused(open(), 'in_use', /another process is using/);
    // Nor by another name.
    mkdirSync(join(folder, 'elsewhere'));
    const link = join(folder, 'elsewhere', 'link.db');
    symlinkSync(file, link);
    await assertRefused(open({ file: link }), 'in_use', /another process is using/);
    await first.kill();
    const log = await open();
    await committed(log, write('a-1', 0, 1));

    const second = spawn(['hold', file]);
    assert.match((await second.line()) ?? '', /^in_use: another process is using/);
    await second.kill();
    // And none of its work has released our lock.
    await assertRefused(open(), 'in_use', /another process is using/);
    await committed(log, write('a-1', 1, 2));
  }));

test('a start that was refused leaves nothing held', () =>
  inPlace(async (place) => {
    await fill(place, 1);
    const db = new DatabaseSync(place.file);
    db.exec('PRAGMA user_version = 99');
    await assertRefused(place.open(), 'newer_schema', /newer/);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    db.close();
    const log = await place.open();
    await committed(log, write('a-1', 0, 1));
  }));

const SINCE = { 2: ['payload_parts', 'parted_payloads', 'staging'], 3: ['pruned'] } as const;
for (const [version, later] of [
  [1, [...SINCE[2], ...SINCE[3]]],
  [2, SINCE[3]],
] as const)
  test(`a log of schema ${version} is brought up to date, with all that it holds`, () =>
    broughtUpToDate(version, later));

const broughtUpToDate = (version: number, later: readonly string[]) =>
  inPlace(async (place) => {
    await fill(place, 20);
    const db = new DatabaseSync(place.file);
    for (const table of later) db.exec(`DROP TABLE ${table}`);
    db.exec(`PRAGMA user_version = ${version}`);
    db.close();
    const log = await place.open();
    assert.equal((await log.readAll({ after: 0n, categories: ['calls'], limit: 100 })).length, 20);
    const events = [{ ...write('calls-9', 0, 1).events[0], payload: new Uint8Array(2_000_000).fill(7) }];
    await committed(log, { ...write('calls-9', 0, 1), events } as never);
    assert.equal((await log.payload('calls-9', 1))?.length, 2_000_000);
    assert.equal(openPruned(place.file).after(0, 1).length, 0);
  });
