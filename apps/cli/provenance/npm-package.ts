import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { isJsonObject, ownValue, type Json } from '../../../libs/kernel/canonical-json.js';
import { digestOfFiles, filesUnder, type Place, type Provenance } from './evidence.js';
import { lockedAt } from './npm-lock.js';
import { readJson, textOf } from './read-json.js';

/** An installed npm package: a folder `node_modules/<name>` whose package.json has that name, or an alias of it. */
export interface NpmPackage {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
}

/**
 * The package that owns a file: the innermost `node_modules/<name>` above it. A folder above with only a package.json
 * owns nothing. A package does not own a virtual environment within it. `file` is a real path.
 */
export function npmOwnerOf(file: string): NpmPackage | undefined {
  const segments = file.split(sep);
  const at = segments.lastIndexOf('node_modules');
  const scoped = segments[at + 1]?.startsWith('@') === true;
  const depth = at + (scoped ? 3 : 2);
  if (at < 0 || segments.length <= depth) return undefined;
  const folder = segments.slice(0, depth).join(sep);
  for (let inner = dirname(file); inner !== folder; inner = dirname(inner)) {
    if (existsSync(join(inner, 'pyvenv.cfg'))) return undefined;
  }
  return packageIn(folder, segments.slice(at + 1, depth).join('/'));
}

function packageIn(folder: string, installedAs: string): NpmPackage | undefined {
  const manifest = readJson(join(folder, 'package.json'));
  const name = textOf(manifest, 'name');
  const version = textOf(manifest, 'version');
  if (name === undefined || version === undefined) return undefined;
  // `npm install alias@npm:name` installs under another name. Only a lock file says so.
  if (name !== installedAs && lockedAt(folder, name, version)?.alias !== true) return undefined;
  return { folder, name, version };
}

/** The evidence for a package: the integrity that its lock file states, or else the digest of its own files. */
export function provenanceOfNpm({ folder, name, version }: NpmPackage): Provenance {
  const repository = repositoryOf(readJson(join(folder, 'package.json')));
  const described = repository === undefined ? {} : { repository };
  const locked = lockedAt(folder, name, version);
  if (locked?.integrity !== undefined) {
    const { source, integrity, lock } = locked;
    const note = 'the integrity is what the lock file states; the files on the disk were not compared with it';
    return { source: { ...source, name, version, integrity }, integrity, note, lock, ...described };
  }
  const source = { type: 'file', name, version } as const;
  const files = filesUnder(folder);
  const lock = locked === undefined ? {} : { lock: locked.lock };
  if (files === undefined) return { source, note: `the files of ${name} cannot all be read`, ...lock, ...described };
  const integrity = digestOfFiles(name, version, files);
  // Without a lock file, nothing says that the registry published the running files under that name.
  const note = `no lock file states the integrity of ${name}@${version}: its digest is made of the package's own files`;
  return { source: { ...source, integrity }, integrity, note, ...lock, ...described };
}

/**
 * The package that npx runs for a specification, if the system does not show its process. It comes from a node_modules
 * above the working folder, or else from the folder that npx keeps. Undefined if several versions could be the one that
 * runs.
 */
export function npxPackage(args: readonly string[], { cwd, env }: Place): NpmPackage | undefined {
  const spec = npxSpec(args);
  if (spec === undefined) return undefined;
  const at = spec.indexOf('@', 1);
  const name = at < 0 ? spec : spec.slice(0, at);
  if (!/^(@[\w.-]+\/)?[\w.-]+$/.test(name)) return undefined;
  const wanted = at < 0 ? undefined : spec.slice(at + 1);
  const exact = wanted !== undefined && /^\d+\.\d+\.\d+/.test(wanted) ? wanted : undefined;
  const installedIn = (folders: readonly string[]): NpmPackage[] =>
    folders
      .map((folder) => packageIn(join(folder, 'node_modules', name), name))
      .filter((found) => found !== undefined && (exact === undefined || found.version === exact))
      .filter((found) => found !== undefined);
  const near = installedIn(ancestorsOf(cwd))[0];
  // A tag or a range may mean the near version, or another one that npx keeps.
  if (near !== undefined) return wanted === exact ? near : undefined;
  const cache = join(env['npm_config_cache'] ?? join(env['HOME'] ?? '', '.npm'), '_npx');
  const kept = installedIn(existsSync(cache) ? readdirSync(cache).map((entry) => join(cache, entry)) : []);
  return new Set(kept.map(({ version }) => version)).size === 1 ? kept[0] : undefined;
}

function npxSpec(args: readonly string[]): string | undefined {
  for (const [index, arg] of args.entries()) {
    if (arg === '-p' || arg === '--package') return args[index + 1];
    if (arg.startsWith('--package=')) return arg.slice('--package='.length);
    if (!arg.startsWith('-')) return arg;
  }
  return undefined;
}

function ancestorsOf(folder: string): string[] {
  const up = dirname(folder);
  return up === folder ? [folder] : [folder, ...ancestorsOf(up)];
}

function repositoryOf(manifest: Json | undefined): string | undefined {
  const repository = isJsonObject(manifest) ? ownValue(manifest, 'repository') : undefined;
  const text = typeof repository === 'string' ? repository : textOf(repository, 'url');
  return text === '' ? undefined : text;
}
