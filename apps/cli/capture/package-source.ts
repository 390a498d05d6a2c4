import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative, resolve, sep } from 'node:path';
import { isJsonObject, ownValue, type Json, type JsonObject } from '#libs/kernel/canonical-json.js';
import { digestOfBytes, type Digest } from '#libs/kernel/digest.js';

export interface Dependency {
  readonly name: string;
  readonly version: string;
  readonly integrity?: string;
}

/** The npm package that a command runs, as far as the disk tells. `integrity` is what the lock file states. */
export interface PackageSource {
  readonly name: string;
  readonly version: string;
  /** Subresource Integrity text, `sha512-…`. */
  readonly integrity?: string;
  readonly repository?: string;
  /** Digest of the bytes of the lock file, with the packages that it gives this one, sorted. */
  readonly lock?: { readonly file: string; readonly digest: Digest; readonly dependencies: readonly Dependency[] };
}

/** Programs that run the file or package named after them; they are not the server themselves. */
const INTERPRETERS = new Set(['node', 'nodejs', 'bun', 'deno', 'tsx', 'ts-node']);
const MAX_JSON_BYTES = 64 * 1024 * 1024;
const MAX_DEPENDENCIES = 5000;

/** Finds the package behind a command line, seen from `cwd`; undefined where there is none to be found. */
export function findPackage(
  command: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): PackageSource | undefined {
  const folder = runsByNpx(command) ? npxFolder(command, cwd, env) : entryFolder(command, cwd, env);
  if (folder === undefined) return undefined;
  const manifest = readJson(join(folder, 'package.json'));
  const name = textOf(manifest, 'name');
  const version = textOf(manifest, 'version');
  if (name === undefined || version === undefined) return undefined;
  const repository = repositoryOf(manifest);
  return { name, version, ...(repository === undefined ? {} : { repository }), ...lockOf(folder, name, version) };
}

function runsByNpx(command: readonly string[]): boolean {
  return /^npx(\.cmd)?$/.test(basename(command[0] ?? ''));
}

/** The nearest folder with a named package.json above the program's file, or above the first argument that is a file. */
function entryFolder(command: readonly string[], cwd: string, env: NodeJS.ProcessEnv): string | undefined {
  const [program = '', ...args] = command;
  const found = onPath(program, cwd, env);
  const interpreted = INTERPRETERS.has(basename(program).replace(/\.exe$/, ''));
  const files = interpreted ? args.map((arg) => resolve(cwd, arg)) : found === undefined ? [] : [found];
  const entry = files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
  if (entry === undefined) return undefined;
  for (let folder = dirname(realpathSync(entry)); ; folder = dirname(folder)) {
    if (textOf(readJson(join(folder, 'package.json')), 'name') !== undefined) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

function onPath(program: string, cwd: string, env: NodeJS.ProcessEnv): string | undefined {
  if (program.includes('/') || program.includes(sep)) return resolve(cwd, program);
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => resolve(cwd, folder, program)).find((file) => existsSync(file));
}

/** Where npx takes a package from: the project's node_modules, or else the folder that npx keeps itself. */
function npxFolder(command: readonly string[], cwd: string, env: NodeJS.ProcessEnv): string | undefined {
  const spec = npxSpec(command.slice(1));
  if (spec === undefined) return undefined;
  const at = spec.indexOf('@', 1);
  const name = at < 0 ? spec : spec.slice(0, at);
  if (!/^(@[\w.-]+\/)?[\w.-]+$/.test(name)) return undefined;
  const version = at < 0 ? undefined : spec.slice(at + 1);
  const cache = join(env['npm_config_cache'] ?? join(env['HOME'] ?? '', '.npm'), '_npx');
  const kept = existsSync(cache) ? readdirSync(cache).map((entry) => join(cache, entry)) : [];
  return [...ancestors(cwd), ...kept]
    .map((folder) => join(folder, 'node_modules', name))
    .find((folder) => {
      const installed = textOf(readJson(join(folder, 'package.json')), 'version');
      // A tag or a range names no one version: then the one that is there is the one that ran.
      return (
        installed !== undefined && (version === undefined || !/^\d+\.\d+\.\d+/.test(version) || version === installed)
      );
    });
}

function npxSpec(args: readonly string[]): string | undefined {
  for (const [index, arg] of args.entries()) {
    if (arg === '-p' || arg === '--package') return args[index + 1];
    if (arg.startsWith('--package=')) return arg.slice('--package='.length);
    if (!arg.startsWith('-')) return arg;
  }
  return undefined;
}

function ancestors(folder: string): string[] {
  const up = dirname(folder);
  return up === folder ? [folder] : [folder, ...ancestors(up)];
}

/** The entry of the nearest lock file that agrees with what is installed. */
function lockOf(folder: string, name: string, version: string): Pick<PackageSource, 'integrity' | 'lock'> {
  for (const root of ancestors(dirname(folder))) {
    for (const file of [join(root, 'package-lock.json'), join(root, 'node_modules', '.package-lock.json')]) {
      const lock = readJson(file);
      const packages = lock === undefined ? undefined : ownValue(lock, 'packages');
      if (!isJsonObject(packages)) continue;
      const path = relative(root, folder).split(sep).join('/');
      const entry = ownValue(packages, path);
      if (!isJsonObject(entry) || textOf(entry, 'version') !== version) continue;
      if ((textOf(entry, 'name') ?? name) !== name) continue;
      const integrity = textOf(entry, 'integrity');
      const dependencies = closure(packages, path);
      return {
        ...(integrity === undefined ? {} : { integrity }),
        lock: { file, digest: digestOfBytes(readFileSync(file)), dependencies },
      };
    }
  }
  return {};
}

/** Everything that a package reaches, by npm's rule of resolution: the nearest node_modules upwards. */
function closure(packages: JsonObject, start: string): Dependency[] {
  const reached = new Set([start]);
  for (const path of reached) {
    const entry = ownValue(packages, path);
    if (!isJsonObject(entry)) continue;
    for (const list of ['dependencies', 'optionalDependencies', 'peerDependencies']) {
      const names = ownValue(entry, list);
      for (const name of isJsonObject(names) ? Object.keys(names) : []) {
        const found = nearest(packages, path, name);
        if (found !== undefined && reached.size <= MAX_DEPENDENCIES) reached.add(found);
      }
    }
  }
  reached.delete(start);
  const list = [...reached].map((path) => dependencyAt(packages, path)).filter((one) => one !== undefined);
  const key = (one: Dependency) => `${one.name}@${one.version}`;
  return [...new Map(list.map((one) => [key(one), one])).values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function nearest(packages: JsonObject, from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (Object.hasOwn(packages, candidate)) return candidate;
    if (at === '') return undefined;
  }
}

function dependencyAt(packages: JsonObject, path: string): Dependency | undefined {
  const entry = ownValue(packages, path);
  const name = textOf(entry, 'name') ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const version = textOf(entry, 'version');
  const integrity = textOf(entry, 'integrity');
  return version === undefined ? undefined : { name, version, ...(integrity === undefined ? {} : { integrity }) };
}

function repositoryOf(manifest: Json | undefined): string | undefined {
  const repository = isJsonObject(manifest) ? ownValue(manifest, 'repository') : undefined;
  return typeof repository === 'string' ? repository : textOf(repository, 'url');
}

function textOf(value: Json | undefined, key: string): string | undefined {
  const text = isJsonObject(value) ? ownValue(value, key) : undefined;
  return typeof text === 'string' && text !== '' && text.length <= 512 ? text : undefined;
}

function readJson(file: string): JsonObject | undefined {
  try {
    if (statSync(file).size > MAX_JSON_BYTES) return undefined;
    const value = JSON.parse(readFileSync(file, 'utf8')) as Json;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
