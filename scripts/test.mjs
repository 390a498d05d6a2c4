// Runs the compiled tests with Node's own runner and ends with one line, `N passed, N failed`, counted from the runner's
// events. `node scripts/test.mjs [--json FILE] [--concurrency FILES] [PATTERN…]`: patterns are of compiled files, relative
// to dist; two files run at once unless told otherwise.
import { globSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
const options = { json: { type: 'string' }, concurrency: { type: 'string', default: '2' } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const patterns = positionals.length > 0 ? positionals : ['**/*.test.js'];
const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: dist })).map((file) => join(dist, file));
if (files.length === 0) {
  console.error('no test files');
  process.exit(1);
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
// A suite is the sum of its tests, so only tests are counted; a file that breaks before its first test counts as failed.
const stream = run({ files: files.sort(), concurrency: Number(values.concurrency), timeout: 600_000 });
stream.on('test:pass', ({ details, skip, todo }) => {
  if (details.type === 'suite') return;
  if (skip !== undefined || todo !== undefined) counts.skipped += 1;
  else counts.passed += 1;
});
stream.on('test:fail', ({ name, file, details, todo }) => {
  if (details.type === 'suite' && details.error?.failureType === 'subtestsFailed') return;
  if (todo !== undefined) return;
  counts.failed += 1;
  failures.push({ name, file: file?.slice(dist.length + 1) });
});
stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => {
  if (counts.passed === 0) counts.failed += 1;
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ ...counts, failures }, null, 2));
  process.exitCode = counts.failed === 0 ? 0 : 1;
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  process.on('exit', () => console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`));
});
