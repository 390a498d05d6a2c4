import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { isJsonObject, ownValue, type Json, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { digestOfBytes } from '../../../libs/kernel/digest.js';
import { withoutCredentials, type Dependency, type Provenance, type Source } from './evidence.js';
import { readJson, textOf } from './read-json.js';

/** The entry of a lock file for one installed package. */
export interface Locked {
  /** Subresource Integrity text of the package's tarball, `sha512-…`. */
  readonly integrity?: string;
  readonly source: Pick<Source, 'type' | 'url'>;
  /** The lock file itself says that the package is installed under another name. */
  readonly alias: boolean;
  readonly lock: NonNullable<Provenance['lock']>;
}

const MAX_DEPENDENCIES = 5000;

/** The entry of the nearest lock file that agrees with what is installed in `folder`. */
export function lockedAt(folder: string, name: string, version: string): Locked | undefined {
  for (let root = dirname(folder); ; root = dirname(root)) {
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
      return defined({
        integrity,
        source: sourceOf(ownValue(entry, 'resolved'), name, version),
        alias: textOf(entry, 'name') !== undefined,
        lock: { file, digest: digestOfBytes(readFileSync(file)), dependencies },
      });
    }
    if (root === dirname(root)) return undefined;
  }
}

/**
 * The origin of a package. A registry serves a tarball at `/<name>/-/<base>-<version>.tgz`. npm can be configured to
 * omit this address. Any other address is not a registry's.
 */
function sourceOf(resolved: Json | undefined, name: string, version: string): Locked['source'] {
  if (typeof resolved !== 'string' || resolved === '') return { type: 'npm' };
  if (resolved.startsWith('git')) return { type: 'git', ...withoutCredentials(resolved) };
  if (!/^https?:/i.test(resolved) || !URL.canParse(resolved)) return { type: 'file' };
  const { pathname } = new URL(resolved);
  const path = pathname.replaceAll(/%40/gi, '@').replaceAll(/%2f/gi, '/');
  const base = name.slice(name.lastIndexOf('/') + 1);
  if (path.endsWith(`/${name}/-/${base}-${version}.tgz`)) return { type: 'npm' };
  return { type: 'http', ...withoutCredentials(resolved) };
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
  return version === undefined ? undefined : defined({ name, version, integrity });
}
