import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileEntry, Manifest } from '../../libs/backup/manifest.js';
import { incarnationOf } from '../../libs/backup/incarnation.js';
import { place, until } from '../process/child.js';
import { decide, stop } from '../support/calls.js';
import { hostOf } from '../support/guarded.js';
import { projectRoot } from '../support/root.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { folderOf, sallyport, sallyportIn } from './ground.js';
import { test } from '../support/testing.js';

/** Backups of a running service, and restores of them, through the command line. */

const replayOf = async (service: TestService, { traceId }: Answered): Promise<Answered> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}/replay`));

const eventsOf = async (service: TestService): Promise<string[]> =>
  (await service.service.stores.log.readAll({ after: 0n, limit: 100_000 })).map(({ json }) => json);

test('a backup under load is whole, and its restore replays and decides; the log goes on from there', async (t) => {
  const folder = folderOf(t);
  const load = { isOver: false };
  t.after(() => (load.isOver = true));
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const first = await openTask(service);
  await decide(service, first);
  let written = 0;
  const writers = Array.from({ length: 4 }, async () => {
    while (!load.isOver) {
      const task = await openTask(service);
      await decide(service, task);
      written += 1;
    }
  });
  const backups = [];
  for (const name of ['one', 'two', 'three']) {
    const before = written;
    backups.push(await sallyport(service.dataDir, 'backup', folder(name)));
    assert.ok(written > before, 'the service was never held up');
  }
  load.isOver = true;
  await Promise.all(writers);
  for (const { code, err } of backups) assert.deepEqual([code, err], [0, '']);
  assert.equal(statSync(folder('one')).mode & 0o777, 0o700);
  for (const name of readdirSync(folder('one'))) assert.equal(statSync(join(folder('one'), name)).mode & 0o777, 0o600);
  const names = ['feed-key.pem', 'keys.db', 'manifest.json', 'sallyport.db', 'tokens.json'];
  assert.deepEqual(readdirSync(folder('one')).sort(), names);

  const checked = await sallyport(service.dataDir, 'restore', '--check', folder('three'));
  assert.deepEqual([checked.code, checked.err], [0, '']);
  assert.match(
    checked.out,
    /^whole: position \d+, epoch 0, .*\ncontent: \d+ records decrypt\nafter the backup: unknown/,
  );
  const original = await eventsOf(service);
  const { incarnation: earlier, head } = Manifest.parse(
    JSON.parse(readFileSync(join(folder('three'), 'manifest.json'), 'utf8')),
  );
  assert.equal((await sallyport(folder('data'), 'restore', folder('three'))).code, 0);

  const restored = await startService({ dataDir: folder('data') });
  t.after(() => restored.stop('keep'));
  const events = await eventsOf(restored);
  assert.deepEqual(events.slice(0, Number(head)), original.slice(0, Number(head)), 'byte for byte');
  assert.match(events[Number(head)] ?? '', /"type":"LogRestored"/);
  assert.ok((await incarnationOf(restored.service.stores.log)) > earlier);
  assert.equal((await replayOf(restored, first)).identical, true);
  assert.deepEqual(await replayOf(restored, first), await replayOf(service, first));
  assert.equal((await decide(restored, await openTask(restored))).decision, 'allow');
  assert.equal((await replayOf(restored, first)).identical, true);
  const shown: Answered = expecting(200, await restored.call('auditor', 'GET', '/v1/audit/events?types=LogRestored'));
  assert.equal(shown.items.length, 1);
});

test('hosts follow the restored service at its lower epoch, and its next directive', async (t) => {
  const folder = folderOf(t);
  const service = await startService();
  await readyWorld(service);
  await stop(service, { type: 'category', category: 'kept' });
  const host = await hostOf(service, {});
  t.after(() => host.close());
  const seen = async (what: () => boolean): Promise<void> => {
    for (let tries = 0; !what() && tries < 4000; tries += 1) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(what(), JSON.stringify(host.state()));
  };
  await seen(() => host.state().epoch === 1 && host.state().stale === false);
  assert.equal((await sallyport(service.dataDir, 'backup', folder('b'))).code, 0);
  for (const category of ['lost', 'and', 'gone']) await stop(service, { type: 'category', category });
  await seen(() => host.state().epoch === 4);
  const { host: address } = new URL(service.url);
  await service.stop();
  assert.equal((await sallyport(folder('data'), 'restore', folder('b'))).code, 0);
  const restored = await startService({ dataDir: folder('data'), env: { SALLYPORT_HTTP: address } });
  t.after(() => restored.stop('keep'));
  await seen(() => host.state().epoch === 1 && host.state().stale === false);
  await stop(restored, { type: 'category', category: 'new' });
  await seen(() => host.state().epoch === 2 && host.state().stale === false);
  await seen(() => host.state().acknowledgedEpoch === 2);
});

test('a second restore of the same backup is a later incarnation than the first', async (t) => {
  const folder = folderOf(t);
  const service = await startService();
  t.after(() => service.stop());
  assert.equal((await sallyport(service.dataDir, 'backup', folder('b'))).code, 0);
  const incarnations: number[] = [];
  for (const name of ['first', 'second']) {
    const { out } = await sallyport(folder(name), 'restore', folder('b'), '--json');
    incarnations.push(JSON.parse(out).incarnation);
    // Incarnations are seconds, and restores are far apart.
    const { createdAt, incarnation } = JSON.parse(out).manifest;
    assert.ok((incarnations.at(-1) ?? 0) > incarnation, createdAt);
  }
  const again = folder('again');
  assert.equal((await sallyport(folder('first'), 'backup', again)).code, 0);
  const { out } = await sallyport(folder('third'), 'restore', again, '--json');
  assert.ok(JSON.parse(out).incarnation > (incarnations[0] ?? Infinity));
});

test('kill -9 in the middle of a backup leaves nothing that looks whole', async (t) => {
  const folder = folderOf(t);
  const service = await startService();
  await service.stop('keep');
  const { dataDir } = service;
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  // The backup waits for the keyring, after the log has been copied.
  const held = new DatabaseSync(join(dataDir, 'keys.db'));
  held.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  const { launch } = place(t);
  const program = launch({
    env: { SALLYPORT_DATA: dataDir },
    command: [process.execPath, join(projectRoot, 'dist', 'apps', 'pdp', 'backup', 'main.js'), 'backup', folder('b')],
  });
  const draft = await until(program, () => {
    const [name] = existsSync(folder('')) ? readdirSync(folder('')).filter((each) => each.includes('.partial-')) : [];
    return name !== undefined && existsSync(join(folder(name), 'keys.db')) ? name : undefined;
  });
  program.kill('SIGKILL');
  await program.exit;
  held.close();
  assert.ok(!existsSync(folder('b')));
  const checked = await sallyport(dataDir, 'restore', '--check', folder(draft));
  assert.deepEqual([checked.code, checked.out], [1, '']);
  assert.match(checked.err, /has no manifest\.json: it is no backup, or a half-made one/);
  assert.equal((await sallyport(dataDir, 'backup', folder('b'))).code, 0, 'and the next one is not in its way');
});

test('a backup that is not as it was made is refused, and restore replaces nothing', async (t) => {
  const folder = folderOf(t);
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const task = await openTask(service);
  await decide(service, task);
  const backup = async (name: string): Promise<void> => {
    assert.equal((await sallyport(service.dataDir, 'backup', folder(name))).code, 0);
  };
  const refusal = async (...args: string[]): Promise<string> => {
    const { code, err, out } = await sallyport(folder('data'), 'restore', ...args);
    assert.deepEqual([code, out], [1, '']);
    assert.ok(!existsSync(join(folder('data'), 'sallyport.db')));
    return err;
  };
  await backup('a');
  const again = await sallyport(service.dataDir, 'backup', folder('a'));
  assert.deepEqual([again.code, /exists already/.test(again.err)], [1, true]);

  const log = join(folder('a'), 'sallyport.db');
  const bytes = readFileSync(log);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100);
  writeFileSync(log, bytes);
  assert.match(await refusal(folder('a')), /sallyport\.db is not as it was backed up/);

  await backup('b');
  const keys = new DatabaseSync(join(folder('b'), 'keys.db'));
  keys.exec('DELETE FROM keys');
  keys.close();
  await describeAgain(folder('b'));
  assert.match(await refusal(folder('b')), /keys\.db has no key for the content of task-/);

  await backup('users');
  const users = new DatabaseSync(join(folder('users'), 'keys.db'));
  users.exec('UPDATE users SET key = randomblob(32)');
  users.close();
  await describeAgain(folder('users'));
  assert.match(await refusal(folder('users')), /keys\.db has 1 users whose ids cannot be decrypted/);

  await backup('c');
  const shredding = new DatabaseSync(join(folder('c'), 'keys.db'));
  shredding.exec('UPDATE keys SET key = NULL');
  shredding.close();
  await describeAgain(folder('c'));
  const shredded = await sallyport(folder('data'), 'restore', '--check', folder('c'));
  assert.equal(shredded.code, 0);
  assert.match(shredded.out, /content: \d+ records have no key: it was shredded before the backup/);

  await backup('d');
  const over = await sallyport(service.dataDir, 'restore', folder('d'));
  assert.deepEqual([over.code, over.out], [1, '']);
  assert.match(over.err, /exists: restore never replaces it/);
  assert.equal((await decide(service, task)).decision, 'allow');
  const nowhere = await sallyport(folder('data'), 'restore', folder('d'), join(folder('missing'), 'data'));
  assert.match(nowhere.err, /Is its volume mounted\?/);
});

/** Makes the manifest true again, so that only the content of a file tells. */
async function describeAgain(backup: string): Promise<void> {
  const file = join(backup, 'manifest.json');
  const manifest = Manifest.parse(JSON.parse(readFileSync(file, 'utf8')));
  const files = await Promise.all(manifest.files.map(({ name }) => fileEntry(backup, name)));
  writeFileSync(file, JSON.stringify({ ...manifest, files }));
}

test('a restore refuses what would undo it: a write-ahead log that is left, and a log in another place', async (t) => {
  const folder = folderOf(t);
  const service = await startService();
  t.after(() => service.stop());
  assert.equal((await sallyport(service.dataDir, 'backup', folder('b'))).code, 0);
  for (const left of ['sallyport.db-wal', 'keys.db-wal', 'keys.db-shm']) {
    const data = folder(left);
    mkdirSync(data);
    writeFileSync(join(data, left), '');
    const refused = await sallyport(data, 'restore', folder('b'));
    assert.equal(refused.code, 1);
    assert.match(refused.err, new RegExp(`${left} exists: restore never replaces it`));
  }
  const elsewhere = { SALLYPORT_EVENT_LOG: `sqlite:${folder('other.db')}` };
  const refused = await sallyportIn(elsewhere, folder('data'), 'restore', folder('b'));
  assert.equal(refused.code, 1);
  assert.match(refused.err, /SALLYPORT_EVENT_LOG names a log outside of the data folder/);
});
