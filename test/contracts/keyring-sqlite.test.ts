import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { KEY_BYTES, KeyringUnavailable } from '../../libs/payloads/keyring.js';
import { openKeyring } from '../../libs/payloads/sqlite-keyring.js';
import { keyringContract } from './keyring.js';
import { test } from '../support/testing.js';

keyringContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-keys-'));
  const keyring = await openKeyring(join(folder, 'keys.db'));
  const dispose = async () => {
    await keyring.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { keyring, dispose };
});

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-keys-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** True if any file of the folder holds the bytes. */
function standsIn(folder: string, bytes: Uint8Array | undefined): boolean {
  return readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(Buffer.from(bytes ?? [])));
}

test('keys outlive the process, and so does their shredding', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'keys.db');
    const first = await openKeyring(file);
    const key = await first.create('t1');
    await first.create('t2');
    await first.shred('t2');
    await first.close();
    const second = await openKeyring(file);
    assert.deepEqual(Buffer.from((await second.get('t1')) ?? []), Buffer.from(key));
    assert.equal(await second.get('t2'), undefined);
    await second.close();
  }));

test('a shredded key is in no file, while the keyring is open and after', () =>
  inFolder(async (folder) => {
    const keyring = await openKeyring(join(folder, 'keys.db'));
    const keys: Uint8Array[] = [];
    for (let index = 0; index < 300; index += 1) keys.push(await keyring.create(`t${index}`));
    const shredded = [0, 1, 57, 150, 298, 299];
    assert.ok(standsIn(folder, keys[57]));
    for (const index of shredded) await keyring.shred(`t${index}`);
    for (const index of shredded) assert.equal(standsIn(folder, keys[index]), false);
    await keyring.close();
    for (const index of shredded) assert.equal(standsIn(folder, keys[index]), false);
    assert.ok(standsIn(folder, keys[58]));
  }));

test('pseudonyms outlive the process, and so does their erasing', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'keys.db');
    const first = await openKeyring(file);
    const [ada, bob] = [await first.pseudonymOf('ada'), await first.pseudonymOf('bob')];
    await first.eraseUser(bob);
    await first.close();
    const second = await openKeyring(file);
    assert.equal(await second.pseudonymOf('ada'), ada);
    assert.deepEqual([await second.userOf(ada), await second.userOf(bob)], ['ada', undefined]);
    await second.close();
  }));

test('the id of a user is in no file, and after the erasing neither is anything that leads to it', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'keys.db');
    const keyring = await openKeyring(file);
    const names: string[] = [];
    for (let index = 0; index < 300; index += 1) names.push(await keyring.pseudonymOf(`canary-${index}`));
    assert.equal(standsIn(folder, Buffer.from('canary-')), false);
    const rows = (await rowsOf(file)).map(({ lookup, key, sealed }) => [lookup, key, sealed] as Uint8Array[]);
    assert.equal(rows.length, 300);
    const erased = [0, 1, 57, 150, 298, 299];
    for (const part of rows[57] ?? []) assert.ok(standsIn(folder, part));
    for (const index of erased) await keyring.eraseUser(names[index] ?? '');
    const check = () => {
      for (const index of erased) for (const part of rows[index] ?? []) assert.equal(standsIn(folder, part), false);
    };
    check();
    await keyring.close();
    check();
    for (const part of rows[58] ?? []) assert.ok(standsIn(folder, part));
  }));

async function rowsOf(file: string): Promise<Record<string, unknown>[]> {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare('SELECT * FROM users ORDER BY id').all();
  } finally {
    db.close();
  }
}

test('a keyring of before pseudonyms keeps its keys, and has users from then on', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'keys.db');
    const old = new DatabaseSync(file);
    old.exec(`PRAGMA application_id = 1936485241; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;
      CREATE TABLE keys (id INTEGER PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, key BLOB) STRICT;`);
    const key = Buffer.alloc(KEY_BYTES, 7);
    old.prepare("INSERT INTO keys (task_id, key) VALUES ('t1', ?)").run(key);
    old.close();
    const keyring = await openKeyring(file);
    assert.deepEqual(Buffer.from((await keyring.get('t1')) ?? []), key);
    assert.equal(await keyring.userOf(await keyring.pseudonymOf('ada')), 'ada');
    await keyring.close();
  }));

test('only the owner may read the files', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'keys.db');
    writeFileSync(file, '', { mode: 0o644 });
    const keyring = await openKeyring(file);
    await keyring.create('t1');
    for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
    await keyring.close();
  }));

test('a second owner and a file of something else get one clear line', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'keys.db');
    const keyring = await openKeyring(file);
    await assert.rejects(openKeyring(file), { name: 'KeyringUnavailable', message: /another process is using them$/ });
    await keyring.close();
    const other = join(folder, 'other.db');
    writeFileSync(other, 'no database at all, but longer than the header of one would be'.repeat(40));
    await assert.rejects(openKeyring(other), KeyringUnavailable);
  }));
