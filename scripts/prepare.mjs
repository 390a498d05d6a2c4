// Makes a checkout runnable: installs the packages if they are missing or older than the lock file, and compiles if a
// source is newer than the last build. It runs before `npm start` and `npm test`, on the machine's own Node (>= 20).
// The install puts a Node 24 into node_modules/.bin, and npm scripts run on that one. A platform for which the registry
// has no such package (Apple silicon) runs on the machine's own Node, which then has to be new enough.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = ['apps', 'libs', 'test'];
const stamp = join(root, 'dist', '.built');
const installed = join(root, 'node_modules', '.package-lock.json');

const OLDEST_NODE = [24, 15];

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
const brought = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
if (!existsSync(brought)) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    console.error(
      `no package brings Node for ${process.platform} ${process.arch}: install Node ${OLDEST_NODE.join('.')} or newer` +
        ` (this is ${process.version})`,
    );
    process.exit(1);
  }
}
const hostPackage = join(root, 'libs', 'host', 'dist', 'host', 'index.js');
if (modified(stamp) < newestSource() || !existsSync(hostPackage)) {
  console.error('building …');
  // From nothing, so that no test or module outlives its source; it takes well under a second more.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run('the build', process.execPath, [join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc'), '-p', root]);
  run('the build of @sallyport/host', process.execPath, [join(root, 'scripts', 'host-package.mjs')]);
  writeFileSync(stamp, '');
}
