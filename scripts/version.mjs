// `npm version X` runs this after it has set the version in package.json: sets the same in the other places that need it.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Where the version stands beside package.json, and what stands around it. test/house/version.test.ts holds them equal. */
const PLACES = {
  'libs/host/package.json': /(?<="version": ")[^"]+/,
  'libs/kernel/version.ts': /(?<=VERSION = ')[^']+/,
  'deploy/Dockerfile': /(?<=^ARG VERSION=).+/m,
  'deploy/helm/Chart.yaml': /(?<=^(?:version|appVersion): ).+/gm,
};
for (const [name, place] of Object.entries(PLACES)) {
  const file = join(root, name);
  writeFileSync(file, readFileSync(file, 'utf8').replace(place, version));
}
const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: 'inherit' });
run('npm', ['install', '--package-lock-only', '--ignore-scripts']);
run('git', ['add', 'package-lock.json', ...Object.keys(PLACES)]);
