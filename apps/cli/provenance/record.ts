import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { digestOfBytes } from '../../../libs/kernel/digest.js';
import type { FileDigest } from './evidence.js';

/** A distribution as it is installed: its folder `<name>-<version>.dist-info` in a folder of packages. */
export interface InstalledDistribution {
  /** The folder of packages (`site-packages`), to which the paths of RECORD are relative. */
  readonly folder: string;
  readonly info: string;
  readonly record: ReadonlyMap<string, string>;
}

const MAX_RECORD_BYTES = 32 * 1024 * 1024;
const MAX_BYTES = 1024 * 1024 * 1024;
const ROW = /^(?:"((?:[^"]|"")*)"|([^,"]*)),([^,]*),\d*$/;
const HASH = /^(sha256|sha384|sha512)=([\w-]+)=*$/;
/** Files of the dist-info folder that installers write, and that differ from one machine to the next. */
const INSTALLERS =
  /\.dist-info\/(RECORD(\.jws|\.p7s)?|INSTALLER|REQUESTED|direct_url\.json|provenance_url\.json|uv_\w+\.json)$/;
const COMPILED = /(^|\/)__pycache__\/[^/]+\.pyc$/;
const IMPORTABLE = /\.(py|pyc|pyd|so)$/;

/** The distributions of one folder of packages whose RECORD lists `path` (relative to the folder, with `/`). */
export function distributionsWith(folder: string, path: string): readonly InstalledDistribution[] {
  return entriesOf(folder)
    .filter((name) => name.endsWith('.dist-info'))
    .map((info) => ({ folder, info, record: recordIn(join(folder, info)) }))
    .filter(({ record }) => record.has(path));
}

/** RECORD (PyPA, "Recording installed projects"): paths and hashes. It is empty if no RECORD can be read. */
function recordIn(info: string): ReadonlyMap<string, string> {
  const record = new Map<string, string>();
  try {
    const file = join(info, 'RECORD');
    if (statSync(file).size > MAX_RECORD_BYTES) return record;
    for (const line of readFileSync(file, 'utf8').split(/\r?\n/)) {
      const [row, quoted, plain, hash = ''] = ROW.exec(line) ?? [];
      if (row !== undefined) record.set(posix.normalize(quoted?.replaceAll('""', '"') ?? plain ?? ''), hash);
    }
  } catch {
    // There is no RECORD, as in a distribution of the operating system.
  }
  return record;
}

export type Verified = { readonly files: readonly FileDigest[] } | { readonly fault: string };

/**
 * Compares each file that RECORD lists with its hash, and finds code in the distribution's packages that RECORD does
 * not list. `files` are those of the wheel itself. They exclude what the installer wrote, compiled caches, and files
 * outside of the package folder (launchers, shared data).
 */
export function verifyRecord({ folder, info, record }: InstalledDistribution): Verified {
  const files: FileDigest[] = [];
  let bytesRead = 0;
  for (const [path, hash] of record) {
    if (COMPILED.test(path) || INSTALLERS.test(path)) continue;
    const [, algorithm, expected] = HASH.exec(hash) ?? [];
    if (algorithm === undefined) return { fault: `RECORD holds no hash of ${path}` };
    const file = join(folder, ...path.split('/'));
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) return { fault: `${path} is in RECORD and not on the disk` };
    bytesRead += size;
    if (bytesRead > MAX_BYTES) return { fault: 'its files hold more than 1 GiB' };
    const bytes = readFileSync(file);
    if (createHash(algorithm).update(bytes).digest('base64url') !== expected) {
      return { fault: `${path} is not the file that RECORD describes` };
    }
    if (!path.startsWith('../') && !posix.isAbsolute(path)) files.push([path, digestOfBytes(bytes)]);
  }
  const stray = strayIn(folder, record);
  if (stray !== undefined) return { fault: `${stray} lies in its package and is not in RECORD` };
  return files.length > 0 ? { files } : { fault: `${info} lists no files` };
}

/** Code in a package of the distribution that RECORD does not list. Python may load it instead of the listed files. */
function strayIn(folder: string, record: ReadonlyMap<string, string>): string | undefined {
  const packages = [...record.keys()].filter((path) => /^[^/]+\/__init__\.py$/.test(path));
  for (const one of packages.map((path) => posix.dirname(path))) {
    const stray = filesBelow(join(folder, one), one).find((path) => IMPORTABLE.test(path) && !record.has(path));
    if (stray !== undefined) return stray;
  }
  return undefined;
}

function filesBelow(folder: string, path: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [`${path}/${entry.name}`];
    return entry.name === '__pycache__' ? [] : filesBelow(join(folder, entry.name), `${path}/${entry.name}`);
  });
}

function entriesOf(folder: string): readonly string[] {
  return existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder) : [];
}

/** A path as RECORD writes it. */
export function recordPath(relative: string): string {
  return relative.split(sep).join('/');
}
