import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { test, type TestContext } from '../support/testing.js';
import { verifier } from './bundles.js';

const golden = (name: string): string => join(projectRoot, 'test/golden/bundle', name);

/** `sallyport verify` of the golden bundle on a Node that says it is Node 20, without `Map.groupBy`. */
function verifiedOnNode20(t: TestContext, more = '') {
  const folder = mkdtempSync(join(tmpdir(), 'older-node-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const older = join(folder, 'older.cjs');
  writeFileSync(
    older,
    `Object.defineProperty(process.versions, 'node', { value: '20.19.2' }); delete Map.groupBy; ${more}`,
  );
  const program = join(projectRoot, 'bin/sallyport.mjs');
  const args = ['--require', older, program, 'verify', golden('bundle.json'), '--key', golden('log-key.json')];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

test('on Node 20 the program runs on the Node that the package brings, and a sound bundle is sound', (t) => {
  const { status, stdout, stderr } = verifiedOnNode20(t);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^SOUND: trace \w{32} with 11 calls$/m);
});

test('if the package brought no Node, one line says which is needed', (t) => {
  const { status, stdout, stderr } = verifiedOnNode20(t, `Object.defineProperty(process, 'arch', { value: 'mips' });`);
  assert.deepEqual([status, stdout], [2, '']);
  assert.match(stderr, /^sallyport: needs Node 24\.15 or newer, this is 20\.19\.2, and no package .* \w+ mips\n$/);
});

test('an error of the program says nothing about the bundle: it is no "NOT SOUND"', async (t) => {
  const { groupBy } = Map;
  t.after(() => (Map.groupBy = groupBy));
  Reflect.deleteProperty(Map, 'groupBy');
  const text = readFileSync(golden('bundle.json'), 'utf8');
  const { code, out, err } = await verifier(t)(text, readFileSync(golden('log-key.json'), 'utf8'));
  assert.deepEqual([code, out], [12, '']);
  assert.equal(err, 'sallyport: the bundle could not be verified: the program failed (TypeError)\n');
});
