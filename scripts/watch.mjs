// `npm run test:watch [-- PATTERN…]`: after each change of a source, compiles it and runs the tests that the patterns
// name, or else the tests that import what has changed. Ctrl-C ends it.
import { spawnSync } from 'node:child_process';
import { watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Editors and tools write several files at once; they are taken together. */
const SETTLE_MS = 50;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const patterns = process.argv.slice(2);
const script = (name, ...args) =>
  spawnSync(process.execPath, [join(root, 'scripts', name), ...args], { cwd: root, stdio: 'inherit' }).status === 0;

const changed = new Set();
let timer;

function runTests() {
  const files = [...changed].map((file) => join(root, 'dist', file).replace(/\.ts$/, '.js'));
  changed.clear();
  if (!script('prepare.mjs')) return;
  if (patterns.length > 0) script('test.mjs', ...patterns);
  else script('test.mjs', '--passWithNoTests', '--findRelatedTests', ...files);
}

for (const folder of ['apps', 'libs', 'test'])
  watch(join(root, folder), { recursive: true }, (_event, name) => {
    if (name === null || !name.endsWith('.ts') || name.endsWith('.d.ts')) return;
    changed.add(join(folder, name));
    clearTimeout(timer);
    timer = setTimeout(runTests, SETTLE_MS);
  });

if (patterns.length > 0) runTests();
console.error('waiting for changes …');
