import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { NODE_OPTIONS } from '../../apps/cli/commands/serve.js';
import { VERSION } from '../../libs/kernel/version.js';
import { projectRoot } from '../support/root.js';
import { test } from '../support/testing.js';

const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');

test('there is one version: `npm version` sets it everywhere', () => {
  const versionIn = (file: string): unknown => (JSON.parse(textOf(file)) as { version?: unknown }).version;
  const places = ['package.json', 'libs/host/package.json', 'package-lock.json'];
  assert.deepEqual(
    places.map((file) => [file, versionIn(file)]),
    places.map((file) => [file, VERSION]),
  );
  assert.match(textOf('deploy/Dockerfile'), new RegExp(`^ARG VERSION=${VERSION}$`, 'm'));
  const { version, appVersion } = parse(textOf('deploy/helm/Chart.yaml')) as { version: string; appVersion: string };
  assert.deepEqual([version, appVersion], [VERSION, VERSION]);
});

test('`npm start`, `sallyport serve` and the image run the service with the same options of Node', () => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: { start: string } };
  assert.ok(scripts.start.includes(`node ${NODE_OPTIONS.join(' ')} dist/apps/pdp/main.js`), scripts.start);
  const command = ['node', ...NODE_OPTIONS, 'dist/apps/pdp/main.js'];
  assert.ok(textOf('deploy/Dockerfile').includes(`CMD [${command.map((word) => `"${word}"`).join(', ')}]`));
});
