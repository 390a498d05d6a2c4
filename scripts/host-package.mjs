// Compiles @sallyport/host with its declarations and all that it imports of the other libs, and adds the proto. In another
// folder it adds the package's README and licence too:
// `node scripts/host-package.mjs [FOLDER] [--incremental]`, by default libs/host, where it becomes the workspace's
// git-ignored `dist`. It is compiled from nothing unless the option says otherwise.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({ options: { incremental: { type: 'boolean' } }, allowPositionals: true });
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'libs', 'host');
const folder = resolve(positionals[0] ?? sources);
const dist = join(folder, 'dist');

const args = [
  join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc'),
  '-p',
  join(root, 'tsconfig.host.json'),
];
args.push('--outDir', dist);
if (values.incremental) {
  const known = join(root, 'dist', '.host.tsbuildinfo');
  if (!existsSync(dist)) rmSync(known, { force: true });
  args.push('--incremental', '--tsBuildInfoFile', known);
} else rmSync(dist, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
if (status !== 0) process.exit(status ?? 1);
rmSync(join(dist, 'proto'), { recursive: true, force: true });
for (const part of ['sallyport', 'google'])
  cpSync(join(root, 'proto', part), join(dist, 'proto', part), { recursive: true });
if (folder !== sources)
  for (const name of ['package.json', 'README.md', 'LICENSE']) cpSync(join(sources, name), join(folder, name));
