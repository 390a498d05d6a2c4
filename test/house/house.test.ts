import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SETTINGS, settingsTable } from '../../apps/pdp/settings.js';
import { projectRoot } from '../support/root.js';

/** Rules of the house that no other tool checks. */

const MAX_LINES = 400;

/** What git tracks or would track; in an unpacked archive without git, there is nothing to say. */
function sources(...endings: string[]): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  return listed
    .split('\n')
    .filter((path) => endings.some((ending) => path.endsWith(ending)) && existsSync(join(projectRoot, path)));
}

const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');

test(`no source file has more than ${MAX_LINES} lines`, () => {
  const long = sources('.ts', '.mjs').filter((path) => textOf(path).split('\n').length > MAX_LINES);
  assert.deepEqual(long, []);
});

test('no note to self is left behind', () => {
  // Written so that this line is not found itself.
  const words = /\b(TO[D]O|FIX[M]E|XX[X])\b/;
  assert.deepEqual(
    sources('.ts', '.mjs', '.cjs', '.md', '.yaml').filter((path) => words.test(textOf(path))),
    [],
  );
});

test('README.md has the table of settings that the service reads', () => {
  assert.ok(textOf('README.md').includes(settingsTable()), 'npm run docs:settings writes it');
  assert.ok(Object.keys(SETTINGS).length > 0);
});

test('ARCHITECTURE.md names every folder', () => {
  const map = textOf('ARCHITECTURE.md');
  const folders = ['apps', 'libs', 'test'].flatMap((top) =>
    readdirSync(join(projectRoot, top), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${top}/${entry.name}`),
  );
  // What only supports the tests needs no paragraph.
  const missing = folders.filter((folder) => folder !== 'test/support' && !map.includes(`\`${folder}\``));
  assert.deepEqual(missing, []);
});
