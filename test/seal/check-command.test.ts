import assert from 'node:assert/strict';
import { join } from 'node:path';
import { dataOf, forgeRestore, sealedFolder } from './ground.js';
import { ended, place } from '../process/child.js';
import { projectRoot } from '../support/root.js';
import { test } from '../support/testing.js';

test('sallyport check lists each damage and ends with 1; a whole folder ends with 0', async (t) => {
  const folder = await sealedFolder();
  t.after(() => folder.remove());
  const copy = folder.copy();
  const check = async (of = copy) => {
    const program = join(projectRoot, 'dist', 'apps', 'cli', 'main.js');
    const run = place(t).launch({
      command: [process.execPath, program, 'check', of.dataDir],
      env: { SALLYPORT_WITNESS_DIR: of.witness },
    });
    const { code } = await ended(run);
    return { code, lines: run.stdout().split('\n').slice(0, -1), stderr: run.stderr() };
  };
  const whole = await check();
  assert.deepEqual([whole.code, whole.lines.length, whole.stderr], [0, 1, '']);
  const restored = folder.copy();
  restored.edit(forgeRestore);
  const warned = await check(restored);
  assert.deepEqual([warned.code, warned.lines.length], [0, 2], warned.lines.join('\n'));
  assert.match(warned.lines[0] ?? '', /^warning: the log was restored at position \d+ /);
  copy.edit(dataOf('VersionReviewed', () => ({ verdict: 'approved' })));
  const damaged = await check();
  assert.deepEqual([damaged.code, damaged.lines.length], [1, 3]);
  assert.match(damaged.lines[0] ?? '', /^checkpoint \d+ .*: positions \d+ to \d+$/);
  // The index took the event as it was.
  assert.match(damaged.lines[1] ?? '', /^the index of calls: streams capability-memory: chain differ from the log$/);
  assert.match(damaged.lines[2] ?? '', /; 2 damages$/);
});
