import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openFile, WrongFile, type FileFormat } from './open-file.js';
import { Reconnecting } from './reconnecting.js';
import { test, type TestContext } from '../../test/support/testing.js';

const FIRST: FileFormat = { applicationId: 77, version: 1, schema: 'CREATE TABLE a (x TEXT) STRICT;' };
const SECOND: FileFormat = {
  ...FIRST,
  version: 2,
  schema: `${FIRST.schema} CREATE TABLE b (y TEXT) STRICT;`,
  upgrades: { 1: 'CREATE TABLE b (y TEXT) STRICT;' },
};
const OPTIONS = { timeoutMs: 0, pragmas: 'PRAGMA synchronous = FULL' } as const;

function fileFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-sqlite-file-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'a.db');
}

function refused(file: string, format: FileFormat, fault: WrongFile['fault']): void {
  const before = readFileSync(file);
  assert.throws(() => openFile(file, format, OPTIONS), { name: 'WrongFile', fault });
  assert.deepEqual(readFileSync(file), before);
}

test('a new file is for its owner alone, and an older one is upgraded with its rows', (t) => {
  const file = fileFor(t);
  const first = openFile(file, FIRST, OPTIONS);
  first.exec("INSERT INTO a VALUES ('kept')");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  first.close();
  const second = openFile(file, SECOND, OPTIONS);
  assert.equal(second.prepare('SELECT x FROM a, b UNION ALL SELECT x FROM a').get()?.['x'], 'kept');
  assert.equal(second.prepare('PRAGMA user_version').get()?.['user_version'], 2);
  second.close();
});

test('a file of another program, of a newer or unknown older version, or without its tables is left as it is', (t) => {
  const file = fileFor(t);
  openFile(file, SECOND, OPTIONS).close();
  refused(file, FIRST, 'newer');
  refused(file, { ...SECOND, version: 3, upgrades: {} }, 'older');
  refused(file, { ...SECOND, applicationId: 78 }, 'foreign');
  const db = new DatabaseSync(file);
  db.exec('DROP TABLE a; DROP TABLE b');
  db.close();
  refused(file, SECOND, 'no_tables');
});

test('after a failed action the next one gets a new connection, unless the failure is about the data', () => {
  let opened = 0;
  const closed: number[] = [];
  const connection = new Reconnecting({
    open() {
      const number = (opened += 1);
      return { number, close: () => void closed.push(number) };
    },
    keepsAfter: (error) => error instanceof RangeError,
  });
  const fail = (error: Error) =>
    assert.throws(
      () =>
        connection.use(() => {
          throw error;
        }),
      error,
    );
  const current = () => connection.use(({ number }) => number);
  fail(new RangeError('a damaged row'));
  assert.equal(current(), 1);
  fail(new Error('SQLITE_IOERR'));
  assert.deepEqual([current(), closed], [2, [1]]);
  connection.close();
  assert.deepEqual(closed, [1, 2]);
});
