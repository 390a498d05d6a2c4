import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from '../../test/support/testing.js';

const module = join(import.meta.dirname, 'warnings.js');
const stderrOf = (text: string): string =>
  spawnSync(process.execPath, ['--input-type=module', '--eval', text], { encoding: 'utf8' }).stderr;

test('negative timeouts are silent, other warnings are not', () => {
  const text = `setTimeout(() => {}, -5); process.emitWarning('one'); process.emitWarning('two', { type: 'Three' });`;
  const before = stderrOf(text);
  assert.match(before, /TimeoutNegativeWarning/);
  const after = stderrOf(`import { silenceNegativeTimeouts as s } from '${module}'; s(); s(); ${text}`);
  assert.doesNotMatch(after, /TimeoutNegativeWarning/);
  assert.match(after, /Warning: one/);
  assert.match(after, /Three: two/);
});
