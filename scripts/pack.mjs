// Packs what is published, `sallyport` and `@sallyport/host`: `node scripts/pack.mjs [FOLDER]`, by default `packages`.
// The SDK is compiled from nothing, so its package holds no file that it no longer imports.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = resolve(process.argv[2] ?? join(root, 'packages'));

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

mkdirSync(folder, { recursive: true });
run(process.execPath, [join(root, 'scripts', 'prepare.mjs')]);
run(process.execPath, [join(root, 'scripts', 'host-package.mjs')]);
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
run(npm, ['pack', '--workspaces', '--include-workspace-root', '--silent', '--pack-destination', folder]);
