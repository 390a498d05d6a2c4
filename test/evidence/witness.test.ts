import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCheckpoint, signCheckpoint } from '../../libs/transparency/checkpoint.js';
import { decide } from '../support/calls.js';
import { startService, type TestService } from '../support/service.js';
import { after, before, test, type TestContext } from '../support/testing.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { bundleOf, verifier, type Exported } from './bundles.js';

/** A bundle is held against a witness folder by the command line. */

let root = '';
let service: TestService;
let bundle: Exported;
let head: { origin: string; size: number; root: Uint8Array };
let key: KeyObject;
before(async () => {
  root = mkdtempSync(join(tmpdir(), 'sallyport-verify-witness-'));
  service = await startService({ sealing: undefined, env: { SALLYPORT_WITNESS_DIR: join(root, 'witness') } });
  await readyWorld(service);
  const task = await openTask(service);
  await decide(service, task);
  bundle = await bundleOf(service, task.traceId);
  const read = parseCheckpoint(JSON.parse(bundle.text).checkpoint);
  assert.ok(read.ok);
  head = read.value;
  key = createPrivateKey(readFileSync(join(service.dataDir, 'log-key.pem')));
  await decide(service, task);
  // A later checkpoint is in the witness too.
  await bundleOf(service, task.traceId);
});
after(async () => {
  await service.stop();
  rmSync(root, { recursive: true, force: true });
});

const nameOf = (size: number): string => `${'0'.repeat(12)}-${String(size).padStart(16, '0')}.checkpoint`;

/** A copy of the witness, without the checkpoint of the bundle if `apart`. */
function copyOf(apart?: 'apart'): string {
  const folder = mkdtempSync(join(root, 'copy-'));
  cpSync(join(root, 'witness'), folder, { recursive: true });
  const own = readdirSync(folder).find((name) => name.endsWith(nameOf(head.size).slice(12)));
  assert.ok(own !== undefined, 'the witness has the checkpoint of the bundle');
  if (apart !== undefined) rmSync(join(folder, own));
  return folder;
}

const verifying =
  (t: TestContext) =>
  (...more: string[]) =>
    verifier(t)(bundle.text, bundle.key, ...more);

test('a checkpoint that the witness saw is sound, and one with another root or key is not', async (t) => {
  const verify = verifying(t);
  const same = await verify('--witness', copyOf());
  assert.equal(same.code, 0, same.out + same.err);
  assert.match(same.out, /checked: the witness saw this checkpoint \(\d{12}-\d{16}\.checkpoint\)/);
  // Anyone who has the data folder can sign another history with the key of the log.
  const forged = copyOf('apart');
  writeFileSync(join(forged, nameOf(head.size)), signCheckpoint({ ...head, root: Buffer.alloc(32, 1) }, key));
  const rewritten = await verify('--witness', forged);
  assert.equal(rewritten.code, 1, rewritten.out);
  assert.match(
    rewritten.first,
    /^NOT SOUND: \/checkpoint: the witness saw another log: .* has another root at \d+ leaves$/,
  );
  const other = copyOf();
  writeFileSync(
    join(other, nameOf(9_999)),
    signCheckpoint({ ...head, size: 9_999 }, generateKeyPairSync('ed25519').privateKey),
  );
  const signed = await verify('--witness', other);
  assert.equal(signed.code, 1, signed.out);
  assert.match(signed.first, /^NOT SOUND: \/checkpoint: the witness has .* of this log, and another key signed it$/);
});

test('a proof leads from the checkpoint to one that the witness saw; without it, or with another, that is not shown', async (t) => {
  const verify = verifying(t);
  const folder = copyOf('apart');
  const missing = await verify('--witness', folder);
  assert.equal(missing.code, 8, missing.out);
  const [, from, to] =
    /and none with \d+ leaves: the answer of \/v1\/audit\/consistency\?from=(\d+)&to=(\d+)/.exec(missing.out) ?? [];
  const sizes = readdirSync(folder).map((name) => Number(name.slice(13, 29)));
  assert.ok(
    [from, to].map(Number).includes(head.size) && sizes.some((size) => size === Number(from) || size === Number(to)),
  );
  const proof = expecting(200, await service.call('auditor', 'GET', `/v1/audit/consistency?from=${from}&to=${to}`));
  const file = join(root, 'proof.json');
  const given = async (answer: object) => {
    writeFileSync(file, JSON.stringify(answer));
    return verify('--witness', folder, '--consistency', file);
  };
  const proven = await given(proof);
  assert.equal(proven.code, 0, proven.out + proven.err);
  assert.match(proven.out, /checked: its log is the one that the witness saw: a proof leads to .* with \d+ leaves/);
  const [first = '', ...rest] = proof.hashes;
  for (const hashes of [
    rest,
    [...proof.hashes, first],
    [first.replace(/^./, first.startsWith('A') ? 'B' : 'A'), ...rest],
  ]) {
    const wrong = await given({ hashes });
    assert.equal(wrong.code, 1, wrong.out);
    assert.match(wrong.first, /^NOT SOUND: --consistency: leads from no checkpoint of the witness/);
  }
});

test('a witness of another log shows nothing, and a folder without checkpoints is a mistake', async (t) => {
  const verify = verifying(t);
  const other = mkdtempSync(join(root, 'other-'));
  writeFileSync(join(other, nameOf(head.size)), signCheckpoint({ ...head, origin: 'another/log' }, key));
  writeFileSync(join(other, nameOf(7)), 'nonsense');
  const { code, out } = await verify('--witness', other);
  assert.equal(code, 8, out);
  assert.match(out, /not shown: \S+ of the witness cannot be used: /);
  assert.match(out, new RegExp(`not shown: the witness has no checkpoint of ${head.origin}`));
  assert.equal((await verify('--witness', mkdtempSync(join(root, 'empty-')))).code, 2);
  assert.equal((await verify('--witness', join(root, 'missing'))).code, 2);
  assert.equal((await verify('--consistency', 'proof.json')).code, 2);
});
