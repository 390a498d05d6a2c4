import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../support/root.js';
import { test } from '../support/testing.js';

const run = promisify(execFile);
const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');

test('the bill of materials of the image names the packages of production alone', async () => {
  const command = /npx (.+) --output-file sbom\.cdx\.json/.exec(textOf('deploy/Dockerfile'))?.[1] ?? '';
  const { stdout } = await run('npx', command.split(' '), { cwd: projectRoot, maxBuffer: 32 * 1024 * 1024 });
  const { components } = JSON.parse(stdout) as { components: { purl: string }[] };
  const listed = new Set(components.map(({ purl }) => purl.split('?')[0]));
  const { dependencies } = JSON.parse(textOf('package.json')) as { dependencies: Record<string, string> };
  const missing = Object.entries(dependencies).filter(
    ([name, version]) => !listed.has(`pkg:npm/${name.replace('@', '%40')}@${version}`),
  );
  assert.deepEqual(missing, []);
  assert.deepEqual(
    [...listed].filter((purl) => /^pkg:npm\/(node-(linux|darwin|win)|jest@)/.test(purl ?? '')),
    [],
  );
});
