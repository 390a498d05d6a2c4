import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from '../support/testing.js';
import { projectRoot } from '../support/root.js';

test('the evaluation without its corpora says in one line which it needs and where', () => {
  const env = { ...process.env, SALLYPORT_CORPORA: '/nonexistent' };
  const ran = spawnSync(process.execPath, [join(projectRoot, 'dist/test/eval/main.js')], { env, encoding: 'utf8' });
  assert.equal(ran.status, 2, ran.stderr);
  assert.match(
    ran.stderr,
    /^eval:content: \/nonexistent lacks benign\.public\.jsonl, .*extra-pii\.public\.jsonl: .*SALLYPORT_CORPORA\n$/,
  );
  assert.equal(ran.stdout, '');
});
