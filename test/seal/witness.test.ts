import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { sallyport } from '../backup/ground.js';
import { addPrincipal } from '../support/actors.js';
import { startService, type TestService } from '../support/service.js';
import { test, type TestContext } from '../support/testing.js';
import { dataOf, headOf, signAgain } from './ground.js';
import { ended, jsonLines, place } from '../process/child.js';

/** A folder for a witness, and a way to start the service with it. */
function ground(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-witness-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const [dataDir, witness] = [join(root, 'data'), join(root, 'witness')];
  const start = (): Promise<TestService> =>
    startService({ dataDir, sealing: undefined, env: { SALLYPORT_WITNESS_DIR: witness } });
  /** Starts the service, lets something happen, and stops it: the stop seals the rest. */
  const live = async (): Promise<void> => {
    const service = await start();
    await addPrincipal(service, ['auditor']);
    await service.stop('keep');
  };
  return { root, dataDir, witness, start, live };
}

test('each checkpoint is in the witness, and the next start compares them', async (t) => {
  const { witness, live, start, dataDir } = ground(t);
  await live();
  await live();
  const service = await start();
  const { items } = (await service.call('auditor', 'GET', '/v1/audit/checkpoints')).body;
  await service.stop('keep');
  const kept = readdirSync(witness).filter((name) => name.endsWith('.checkpoint'));
  const notes = kept.map((name) => readFileSync(join(witness, name), 'utf8'));
  // The auditor's question is itself evidence: the stop sealed it.
  assert.deepEqual(
    notes.slice(0, items.length),
    items.map(({ note }: { note: string }) => note),
  );
  // The sealer makes its own file again.
  rmSync(join(dataDir, 'seal.db'));
  await (await start()).stop('keep');
});

test('a data folder that was rolled back does not start', async (t) => {
  const { root, dataDir, live, start } = ground(t);
  await live();
  cpSync(dataDir, join(root, 'older'), { recursive: true });
  await live();
  rmSync(dataDir, { recursive: true });
  cpSync(join(root, 'older'), dataDir, { recursive: true });
  await assert.rejects(
    start(),
    /the log is behind its witness .*: its last checkpoint has \d+ leaves, and the witness saw \d+$/,
  );
});

test('a restored log starts with its witness, and one whose history was changed before the restore does not', async (t) => {
  const { root, dataDir, witness, live, start } = ground(t);
  await live();
  assert.equal((await sallyport(dataDir, 'backup', join(root, 'backup'))).code, 0);
  await live();
  rmSync(dataDir, { recursive: true });
  const { code, err } = await sallyport(dataDir, 'restore', join(root, 'backup'));
  assert.deepEqual([code, err], [0, '']);
  const [restored, seen] = [join(root, 'restored'), join(root, 'seen')];
  cpSync(dataDir, restored, { recursive: true });
  cpSync(witness, seen, { recursive: true });
  const service = await start();
  assert.match(service.service.seal?.thread.notice ?? '', /restored from a backup of .*: its witness saw \d+ leaves/);
  await service.stop('keep');
  await (await start()).stop('keep');
  const forged = async (forge: (db: DatabaseSync) => void): Promise<void> => {
    for (const [from, to] of [
      [restored, dataDir],
      [seen, witness],
    ] as const) {
      rmSync(to, { recursive: true });
      cpSync(from, to, { recursive: true });
    }
    const db = new DatabaseSync(join(dataDir, 'sallyport.db'));
    headOf('PrincipalAdded', { actor: 'somebody' })(db);
    forge(db);
    signAgain(db, dataDir);
    db.close();
    await assert.rejects(start(), /the log disagrees with its witness .* at \d+ leaves .*: it was rewritten/);
  };
  await forged(() => undefined);
  await forged(dataOf('LogRestored', () => ({ backupHead: '0' })));
});

test('a log starts with its witness after an older backup was restored, and then a newer one', async (t) => {
  const { root, dataDir, live, start } = ground(t);
  const backup = async (name: string): Promise<void> => {
    assert.equal((await sallyport(dataDir, 'backup', join(root, name))).code, 0);
  };
  const restore = async (name: string): Promise<void> => {
    // An incarnation is a second.
    await pause(1_001);
    rmSync(dataDir, { recursive: true });
    assert.equal((await sallyport(dataDir, 'restore', join(root, name))).code, 0);
  };
  await live();
  await backup('older');
  await live();
  await live();
  await backup('newer');
  await restore('older');
  // This log has other leaves at the sizes that the newer backup has.
  await live();
  await live();
  await restore('newer');
  const kept = join(root, 'kept');
  cpSync(dataDir, kept, { recursive: true });
  const service = await start();
  assert.match(service.service.seal?.thread.notice ?? '', /restored from a backup of /);
  await service.stop('keep');
  await (await start()).stop('keep');
  // The checkpoints of before both restores still count.
  rmSync(dataDir, { recursive: true });
  cpSync(kept, dataDir, { recursive: true });
  const db = new DatabaseSync(join(dataDir, 'sallyport.db'));
  headOf('PrincipalAdded', { actor: 'somebody' })(db);
  signAgain(db, dataDir);
  db.close();
  await assert.rejects(start(), /the log (disagrees with|is behind) its witness/);
});

test('a missing witness stops the start, and a new one leaves a notice', async (t) => {
  const { witness, live, start } = ground(t);
  await live();
  rmSync(witness, { recursive: true });
  await assert.rejects(
    start(),
    /SALLYPORT_WITNESS_DIR: .* does not exist, and the log has checkpoints\. Is its volume/,
  );
  assert.ok(!existsSync(witness));
  mkdirSync(witness);
  const service = await start();
  assert.match(service.service.seal?.thread.notice ?? '', /^the witness .* is new: it has no checkpoint of this log$/);
  await service.stop('keep');
});

test('a log that another key signed does not start, nor does one with another witness', async (t) => {
  const { root, dataDir, witness, live, start } = ground(t);
  await live();
  const key = join(dataDir, 'log-key.pem');
  const kept = readFileSync(key);
  unlinkSync(key);
  await assert.rejects(start(), /checkpoint \d+ of the log and the key in log-key\.pem: .*another key/);
  writeFileSync(key, kept);
  await (await start()).stop('keep');
  const other = { dataDir: join(root, 'other'), sealing: undefined, env: { SALLYPORT_WITNESS_DIR: join(root, 'w') } };
  await (await startService(other)).stop('keep');
  rmSync(witness, { recursive: true });
  cpSync(join(root, 'w'), witness, { recursive: true });
  await assert.rejects(start(), /the witness .*another key/);
});

test('the process ends with one line if its log is behind, and tells where its log is', async (t) => {
  const { dataDir, start } = place(t);
  const witness = mkdtempSync(join(tmpdir(), 'sallyport-witness-'));
  const older = mkdtempSync(join(tmpdir(), 'sallyport-older-'));
  t.after(() => [witness, older].forEach((each) => rmSync(each, { recursive: true, force: true })));
  const env = { SALLYPORT_WITNESS_DIR: witness };
  const run = async () => {
    const service = await start({ env });
    const body = { name: `a-${service.pid}`, roles: ['auditor'] };
    assert.equal((await service.call('admin', 'POST', '/v1/principals', body)).status, 201);
    service.kill('SIGTERM');
    assert.equal((await ended(service)).code, 0);
    return jsonLines(service);
  };
  await run();
  cpSync(dataDir, older, { recursive: true });
  const lines = await run();
  for (const msg of ['ready', 'stopped']) {
    const line = lines.find((each) => each.msg === msg);
    assert.ok(line !== undefined);
    const { position, epoch, events, checkpoint } = line;
    assert.deepEqual([typeof position, epoch, typeof events], ['number', 0, 'number']);
    assert.match(JSON.stringify(checkpoint), /^\{"size":\d+,"root":"[^"]{44}"\}$/);
  }
  rmSync(dataDir, { recursive: true });
  cpSync(older, dataDir, { recursive: true });
  const refusedStart = place(t).launch({ env: { ...env, SALLYPORT_DATA: dataDir } });
  assert.equal((await ended(refusedStart)).code, 1);
  assert.match(refusedStart.stderr(), /^sallyport: the log is behind its witness [^\n]+\n$/);
});
