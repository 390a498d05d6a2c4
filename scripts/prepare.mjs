// Makes a checkout runnable: installs the packages when they are missing or older than the lock file, and compiles when
// a source is newer than the last build. It runs before `npm start` and `npm test`, on whatever Node (>= 20) the machine
// has; what comes after it runs on the Node 24 that the install brought into node_modules/.bin.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = ['apps', 'libs', 'test'];
const stamp = join(root, 'dist', '.built');
const installed = join(root, 'node_modules', '.package-lock.json');

const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

function newestSource() {
  const files = sources.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name)),
  );
  return Math.max(...[...files, join(root, 'tsconfig.json'), join(root, 'package-lock.json')].map(modified));
}

function run(what, command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) return;
  console.error(`${what} failed${error ? `: ${error.message}` : ''}`);
  process.exit(status ?? 1);
}

if (modified(installed) < modified(join(root, 'package-lock.json'))) {
  console.error('installing packages …');
  run('npm ci', process.platform === 'win32' ? 'npm.cmd' : 'npm', [
    'ci',
    '--no-fund',
    '--no-audit',
    '--loglevel=error',
  ]);
}
if (modified(stamp) < newestSource()) {
  console.error('building …');
  // From nothing, so that no test or module outlives its source; it takes well under a second more.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run('the build', process.execPath, [join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc'), '-p', root]);
  run('the build of @sallyport/host', process.execPath, [join(root, 'scripts', 'host-package.mjs')]);
  writeFileSync(stamp, '');
}
