import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, digestOfBytes, type Digest } from '../../../libs/kernel/digest.js';

/** The origin of a server, in the terms of a registration's `source`. */
export interface Source {
  readonly type: 'npm' | 'pypi' | 'oci' | 'git' | 'http' | 'file';
  readonly name: string;
  readonly version?: string;
  readonly integrity?: string;
  readonly url?: string;
}

export interface Dependency {
  readonly name: string;
  readonly version: string;
  readonly integrity?: string;
}

/** The evidence for a running server, and its origin. */
export interface Provenance {
  readonly source?: Source;
  /** The value of `ServerEvidence.integrity`; absent if nothing is proven. */
  readonly integrity?: string;
  /** The scope of the integrity, or the reason why there is none: one clause for a person. */
  readonly note: string;
  readonly repository?: string;
  /** The digest of the lock file's bytes, with the sorted packages that it lists for this one. */
  readonly lock?: { readonly file: string; readonly digest: Digest; readonly dependencies: readonly Dependency[] };
}

/** The folder and the environment in which a command runs. */
export interface Place {
  readonly cwd: string;
  /** The environment of the server's process. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const MAX_URL_CHARS = 2048;

/**
 * A URL as `source.url` may show it: without user and password, as PEP 610 also asks. An ssh user without a password is
 * no secret and stays, as in `git@`. Empty if more than 2048 characters remain.
 */
export function withoutCredentials(url: string): Pick<Source, 'url'> {
  const shown = url.replace(/^([a-z][a-z\d+.-]*:\/\/)([^/?#]*)@/i, (_, scheme: string, user: string) => {
    const kept = /ssh:/i.test(scheme) ? `${user.replace(/:.*$/, '')}@` : '';
    return scheme + kept;
  });
  return shown.length <= MAX_URL_CHARS ? { url: shown } : {};
}

export const unproven = (note: string): Provenance => ({ note });

const MAX_FILE_BYTES = 512 * 1024 * 1024;
const MAX_TREE_FILES = 50_000;
const MAX_TREE_BYTES = 1024 * 1024 * 1024;

/** Digest of a file's bytes; undefined if it cannot be read or is larger than 512 MiB. */
export function digestOfFile(file: string): Digest | undefined {
  try {
    const found = statSync(file);
    return found.isFile() && found.size <= MAX_FILE_BYTES ? digestOfBytes(readFileSync(file)) : undefined;
  } catch {
    return undefined;
  }
}

/** A file's path within its package, `/` between the folders, and the digest of its bytes. */
export type FileDigest = readonly [path: string, digest: Digest];

/**
 * One digest for a set of files: SHA-256 over the RFC 8785 form of `{ files, name, version }`. `files` are pairs of path
 * and digest, in the order of the paths' UTF-16 units. The same installed files always have the same digest.
 */
export function digestOfFiles(name: string, version: string, files: readonly FileDigest[]): Digest {
  return digestOf({ files: files.toSorted(([a], [b]) => (a < b ? -1 : 1)), name, version });
}

/**
 * The files below a folder. Folders called `node_modules` hold other packages and are left out. Undefined if a file
 * cannot be read, or if the folder holds more than 50,000 files or 1 GiB.
 */
export function filesUnder(root: string): readonly FileDigest[] | undefined {
  const files: FileDigest[] = [];
  let bytes = 0;
  const walk = (path: string): boolean =>
    readdirSync(join(root, path), { withFileTypes: true }).every((entry) => {
      const inner = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === 'node_modules' || walk(inner);
      bytes += statSync(join(root, inner)).size;
      const digest = files.length < MAX_TREE_FILES && bytes <= MAX_TREE_BYTES && digestOfFile(join(root, inner));
      return typeof digest === 'string' && files.push([inner, digest]) > 0;
    });
  try {
    return walk('') ? files : undefined;
  } catch {
    return undefined;
  }
}
