// Makes a checkout runnable: installs the packages if they are missing or of another lock file, and compiles what
// has changed since the last build. It runs before `npm start` and `npm test`, on the machine's own Node (>= 20).
// The install puts a Node 24 into node_modules/.bin, and npm scripts run on that one. A platform for which the registry
// has no such package (Apple silicon) runs on the machine's own Node, which then has to be new enough.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = [24, 15];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const hostDist = join(root, 'libs', 'host', 'dist');
const stamp = join(dist, '.built');
const onWindows = process.platform === 'win32';

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function run(what, command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) return;
  console.error(`${what} failed${error ? `: ${error.message}` : ''}`);
  process.exit(status ?? 1);
}

/** Adds the paths of all files below a folder to a list, which it returns. */
function filesIn(folder, found = []) {
  if (!existsSync(folder)) return found;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = folder + sep + entry.name;
    if (entry.isDirectory()) filesIn(path, found);
    else found.push(path);
  }
  return found;
}

const isSource = (file) => file.endsWith('.ts') && !file.startsWith(hostDist);
const sources = () => ['apps', 'libs', 'test'].flatMap((folder) => filesIn(join(root, folder))).filter(isSource);

/**
 * Deletes compiled files whose source is gone, so that no test or module outlives its source. `from` is where the sources
 * of the folder are. Returns the files that are left, and how many it deleted.
 */
function deleteOutlived(compiled, from, known) {
  const sourceOf = (file) => from + file.slice(compiled.length).replace(/(\.d\.ts|\.js|\.js\.map)$/, '.ts');
  const left = new Set();
  let deleted = 0;
  for (const file of filesIn(compiled)) {
    if (!/\.(js|js\.map|d\.ts)$/.test(file) || known.has(sourceOf(file))) left.add(file);
    else {
      rmSync(file);
      deleted += 1;
    }
  }
  return { left, deleted };
}

/** The digest of the lock file that the packages were installed from. `npm ci` deletes it with the packages. */
const installed = join(root, 'node_modules', '.installed-lock');

function install() {
  const lock = join(root, 'package-lock.json');
  const digest = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === digest) return;
  // Packages that `npm ci` installed by hand have no digest yet. Then the times tell.
  if (existsSync(installed) || modified(join(root, 'node_modules', '.package-lock.json')) < modified(lock)) {
    console.error('installing packages …');
    run('npm ci', onWindows ? 'npm.cmd' : 'npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
  }
  try {
    writeFileSync(installed, digest);
  } catch {
    // Another user owns the packages.
  }
}

function checkNode() {
  if (existsSync(join(root, 'node_modules', '.bin', onWindows ? 'node.cmd' : 'node'))) return;
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  console.error(
    `no package brings Node for ${process.platform} ${process.arch}: install Node ${OLDEST_NODE.join('.')} or newer` +
      ` (this is ${process.version})`,
  );
  process.exit(1);
}

/** Compiles incrementally: tsc keeps what it knows in dist/.tsbuildinfo. */
function build() {
  const files = sources();
  // Each folder is listed once, and only sources are looked at: this is a part of every start.
  const known = new Set(files);
  const ours = deleteOutlived(dist, root, known);
  const host = deleteOutlived(hostDist, join(root, 'libs'), known);
  const compiledOf = (file) => dist + file.slice(root.length).replace(/\.ts$/, '.js');
  const isMissing = files.some((file) => !file.endsWith('.d.ts') && !ours.left.has(compiledOf(file)));
  const protos = filesIn(join(root, 'proto')).filter((file) => file.endsWith('.proto'));
  const packs = join('libs', 'content', 'packs');
  const data = filesIn(join(root, packs)).filter((file) => !file.endsWith('.ts'));
  const inputs = [...files, ...protos, ...data, join(root, 'tsconfig.json'), join(root, 'package-lock.json')];
  const isCurrent = Math.max(...inputs.map(modified)) < modified(stamp);
  const isWhole = !isMissing && ours.deleted + host.deleted === 0 && host.left.has(join(hostDist, 'host', 'index.js'));
  if (isCurrent && isWhole) return;
  console.error('building …');
  // tsc does not see that a compiled file is missing, unless it knows nothing.
  if (isMissing) rmSync(join(dist, '.tsbuildinfo'), { force: true });
  run('the build', process.execPath, [join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc'), '-p', root]);
  // Rule packs are data: the compiled code reads them from the same place.
  for (const file of data) cpSync(file, join(dist, file.slice(root.length)));
  // `npx sallyport` links the program once, and starts it as a program.
  chmodSync(join(dist, 'apps', 'cli', 'main.js'), 0o755);
  run('the build of @sallyport/host', process.execPath, [join(root, 'scripts', 'host-package.mjs'), '--incremental']);
  writeFileSync(stamp, '');
}

install();
checkNode();
build();
