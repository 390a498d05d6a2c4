import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { digestOfBytes } from '../../../libs/kernel/digest.js';
import {
  digestOfFiles,
  unproven,
  withoutCredentials,
  type FileDigest,
  type Place,
  type Provenance,
  type Source,
} from './evidence.js';
import { declaredEntryPoint, entryPointOf, withoutShebang, type EntryPoint } from './python-launcher.js';
import { searchModule, type ModuleSearch } from './python-modules.js';
import { readJson } from './read-json.js';
import { distributionsWith, recordPath, verifyRecord, type InstalledDistribution } from './record.js';
import type { Started } from './started.js';

const MAX_SCRIPT_BYTES = 1024 * 1024;

/** The provenance of a Python server. */
export interface PythonFound {
  /** The distribution's name, normalised by PEP 503; absent if the distribution is unknown. */
  readonly name?: string;
  readonly provenance: Provenance;
}
type Ownership = { readonly owner: InstalledDistribution } | { readonly fault: string } | undefined;

/**
 * The installed distribution (PyPA, "Recording installed projects") that owns what Python runs. That is the console
 * script or the module, as the interpreter itself would find it. Undefined if no distribution owns it; then it is a
 * plain file.
 */
export async function distributionOf(
  started: Extract<Started, { kind: 'script' | 'module' | 'program' }>,
  place: Place,
): Promise<PythonFound | undefined> {
  if (started.kind === 'program') return ownerOfScript(started.file, packageFolders(started.file), undefined);
  if (started.kind === 'module') {
    const search = await searchModule(started.by, { name: started.name, first: place.cwd, isRun: true }, place);
    if (search === undefined) return faulty('the interpreter does not tell where it finds the module');
    return search.found ? ownerOfModule(search) : faulty(`the interpreter finds no module ${started.name}`);
  }
  const entry = entryPointOf(textOfScript(started.file));
  const module = { name: entry?.module ?? '', first: dirname(started.file), isRun: false };
  const search = await searchModule(started.by, module, place);
  if (search === undefined) return faulty('the interpreter does not tell where it finds modules');
  return ownerOfScript(started.file, search.path, entry === undefined ? undefined : { entry, search });
}

/** The first file of a module that no distribution owns. */
export async function moduleFile(
  started: Extract<Started, { kind: 'module' }>,
  place: Place,
): Promise<string | undefined> {
  const search = await searchModule(started.by, { name: started.name, first: place.cwd, isRun: true }, place);
  return search?.files.at(-1);
}

function ownerOfModule({ path, files }: ModuleSearch): PythonFound | undefined {
  const owned = ownerOfFiles(path, files);
  if (owned === undefined) return undefined;
  return 'fault' in owned ? faulty(owned.fault) : proven(owned.owner, []);
}

/** The one distribution that lists all the files. */
function ownerOfFiles(path: readonly string[], files: readonly string[]): Ownership {
  const [file, ...others] = files;
  if (file === undefined) return undefined;
  const folder = path.filter((one) => file.startsWith(one + sep)).sort((a, b) => b.length - a.length)[0];
  if (folder === undefined) return undefined;
  const inFolder = (one: string): string => recordPath(relative(folder, one));
  const owners = distributionsWith(folder, inFolder(file));
  if (owners.length > 1) return { fault: 'two distributions say that they own the file that is started' };
  const [owner] = owners;
  if (owner === undefined) return undefined;
  if (others.every((one) => owner.record.has(inFolder(one)))) return { owner };
  return { fault: `Python finds parts of ${owner.info} outside of it` };
}

/** The distribution whose RECORD lists a script, and which owns the module that the script's launcher imports. */
function ownerOfScript(
  script: string,
  folders: readonly string[],
  launcher: { readonly entry: EntryPoint; readonly search: ModuleSearch } | undefined,
): PythonFound | undefined {
  for (const folder of folders.filter((one) => existsSync(one))) {
    const listed = recordPath(relative(realpathSync(folder), script));
    const owners = distributionsWith(folder, listed);
    if (owners.length > 1) return faulty('two distributions say that they own the script that is started');
    const [owner] = owners;
    if (owner === undefined) continue;
    const declared = declaredEntryPoint(
      textOfScript(join(owner.folder, owner.info, 'entry_points.txt')),
      basename(script),
    );
    const { entry, search } = launcher ?? {};
    if (
      entry === undefined ||
      search === undefined ||
      declared?.module !== entry.module ||
      declared.attribute !== entry.attribute
    ) {
      // A script or program of the wheel itself. Installers rewrite only the line that names Python.
      const bytes = readFileSync(script);
      const own = bytes.subarray(0, 2).toString() === '#!' ? withoutShebang(bytes.toString()) : bytes;
      return proven(owner, [[`scripts/${basename(script)}`, digestOfBytes(own)]]);
    }
    const modules = ownerOfFiles(search.path, search.files);
    const isOwn = modules !== undefined && 'owner' in modules && modules.owner.info === owner.info;
    if (isOwn && modules.owner.folder === owner.folder) return proven(owner, []);
    return faulty(`Python finds the module ${entry.module} outside of the distribution ${owner.info}`);
  }
  return undefined;
}

const faulty = (why: string): PythonFound => ({ provenance: unproven(why) });

function proven(owner: InstalledDistribution, scripts: readonly FileDigest[]): PythonFound {
  const info = join(owner.folder, owner.info);
  const metadata = textOfScript(join(info, 'METADATA')).split(/\r?\n\r?\n/, 1)[0] ?? '';
  const field = (key: string): string | undefined => new RegExp(`^${key}: *(.+?) *$`, 'm').exec(metadata)?.[1];
  const version = field('Version');
  const name = field('Name')
    ?.toLowerCase()
    .replaceAll(/[-_.]+/g, '-');
  if (name === undefined || version === undefined)
    return faulty(`${owner.info} has no METADATA with a name and a version`);
  const source = sourceOf(info, name, version);
  if (source === undefined) {
    return { name, provenance: unproven(`${name} is installed in editable form: its files are not part of it`) };
  }
  const verified = verifyRecord(owner);
  if ('fault' in verified) return { name, provenance: { source, note: `${name} ${version}: ${verified.fault}` } };
  const integrity = digestOfFiles(name, version, [...verified.files, ...scripts]);
  const note = `each file of ${name} ${version} was compared with its RECORD; compiled caches and dependencies were not`;
  return { name, provenance: { source: { ...source, integrity }, integrity, note } };
}

/** The origin of an installed distribution (PEP 610); undefined if it is editable. */
function sourceOf(info: string, name: string, version: string): Source | undefined {
  const direct = readJson(join(info, 'direct_url.json'));
  if (direct === undefined) return { type: 'pypi', name, version };
  const folder = direct['dir_info'];
  if (typeof folder === 'object' && folder !== null && 'editable' in folder && folder.editable === true)
    return undefined;
  const url = direct['url'];
  if (typeof url !== 'string' || !/^https?:|^git/.test(url)) return { type: 'file', name, version };
  return { type: direct['vcs_info'] === undefined ? 'http' : 'git', name, version, ...withoutCredentials(url) };
}

/** The package folders of the Python installation that a program belongs to: `<prefix>/lib/python3.x/site-packages`. */
function packageFolders(program: string): readonly string[] {
  const lib = join(dirname(dirname(program)), 'lib');
  const versions = existsSync(lib) ? readdirSync(lib).filter((name) => name.startsWith('python3')) : [];
  return versions.flatMap((name) => ['site-packages', 'dist-packages'].map((last) => join(lib, name, last)));
}

function textOfScript(file: string): string {
  try {
    const bytes = readFileSync(file);
    return bytes.length <= MAX_SCRIPT_BYTES ? bytes.toString('utf8') : '';
  } catch {
    return '';
  }
}
