// Compiles @sallyport/host with its declarations and all that it imports of the other libs, and puts the proto beside it:
// `node scripts/host-package.mjs [FOLDER]`, by default libs/host, where it becomes the workspace's git-ignored `dist`.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'libs', 'host');
const folder = resolve(process.argv[2] ?? sources);
const dist = join(folder, 'dist');

rmSync(dist, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const tsc = join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc');
const args = [tsc, '-p', join(root, 'tsconfig.host.json'), '--outDir', dist];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
if (status !== 0) process.exit(status ?? 1);
cpSync(join(root, 'proto'), join(dist, 'proto'), { recursive: true });
if (folder !== sources) cpSync(join(sources, 'package.json'), join(folder, 'package.json'));
