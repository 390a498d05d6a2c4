import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { test } from '../support/testing.js';

/** `npm start` and `npm test` install the packages of the present lock file, even if it is old. */

test('packages are installed again if the lock file differs, and not if it only has another time', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-prepare-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const [lock, packages, bin] = [join(root, 'package-lock.json'), join(root, 'node_modules'), join(root, 'bin')];
  for (const folder of [packages, bin, join(root, 'scripts')]) mkdirSync(folder);
  cpSync(join(projectRoot, 'scripts', 'prepare.mjs'), join(root, 'scripts', 'prepare.mjs'));
  writeFileSync(join(bin, 'npm'), '#!/bin/sh\nrm -f node_modules/.installed-lock\necho "$*" >> calls\n', {
    mode: 0o755,
  });
  /** The folder has nothing to build, so only the installation counts. */
  const calls = (): number => {
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };
    spawnSync(process.execPath, [join(root, 'scripts', 'prepare.mjs')], { cwd: root, env });
    const file = join(root, 'calls');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0;
  };
  const at = (path: string, seconds: number): void => utimesSync(path, seconds, seconds);
  writeFileSync(lock, '{"a":1}');
  writeFileSync(join(packages, '.package-lock.json'), '{}');
  at(lock, 1000);
  assert.equal(calls(), 0, 'packages that are newer than the lock file');
  writeFileSync(lock, '{"a":1}');
  at(lock, 4_000_000_000);
  assert.equal(calls(), 0, 'the same lock file with another time');
  writeFileSync(lock, '{"a":2}');
  at(lock, 1000);
  assert.equal(calls(), 1, 'another lock file that is older than the packages');
  assert.equal(calls(), 1, 'it is installed');
});
