import { basename } from 'node:path';
import { defined } from '../../../libs/kernel/defined.js';
import { provenanceOfContainer } from './container-image.js';
import { digestOfFile, unproven, type Place, type Provenance } from './evidence.js';
import { npmOwnerOf, npxPackage, provenanceOfNpm } from './npm-package.js';
import type { RunningProcess } from './processes.js';
import { LAUNCHER_DISTRIBUTIONS, LAUNCHER_PACKAGES } from './programs.js';
import { distributionOf, moduleFile } from './python-distribution.js';
import { fileNamed, programOf, startedBy, type Started } from './started.js';

/** The provenance from one command line. A launcher defers to the process that it started. */
type Looked = Provenance | { readonly launcher: string; readonly npx?: NpxCommand; readonly script?: string };

interface NpxCommand {
  readonly args: readonly string[];
  readonly place: Place;
}

/**
 * The provenance of the server behind a command line. For a launcher, the processes that it started decide (`chain`,
 * outermost first; empty if the system does not show them). If something cannot be proven, the note says why. Wrong
 * provenance is worse than none. So a file counts as a package's only if that package's installation owns it.
 */
export async function findProvenance(
  command: readonly string[],
  place: Place,
  chain: readonly RunningProcess[],
): Promise<Provenance> {
  const first = await lookAt(command, place);
  let last = first;
  for (const { argv, cwd, env, program } of chain) {
    if (!('launcher' in last)) return last;
    // A program may overwrite its command line, as npm does.
    const isTrue = programOf(argv, { cwd, env }) === program;
    last = isTrue ? await lookAt(argv, { cwd, env }) : { launcher: 'the process of the server hides its command line' };
  }
  if (!('launcher' in last)) return last;
  if (chain.length > 0 && last.script !== undefined) return provenanceOfFile(last.script);
  const npx = 'npx' in first ? first.npx : undefined;
  const kept = npx === undefined ? undefined : npxPackage(npx.args, npx.place);
  return kept === undefined ? unproven(last.launcher) : provenanceOfNpm(kept);
}

async function lookAt(command: readonly string[], from: Place): Promise<Looked> {
  const { started, place } = startedBy(command, from);
  switch (started.kind) {
    case 'launcher':
      return defined({
        launcher: started.why,
        npx: started.npx === undefined ? undefined : { args: started.npx, place },
      });
    case 'unclear':
      return unproven(started.why);
    case 'container':
      return provenanceOfContainer(started.engine, started.args, place);
    case 'module': {
      const found = await lookAtDistribution(started, place);
      if (found !== undefined) return found;
      const file = await moduleFile(started, place);
      return file === undefined ? unproven(`the module ${started.name} has no file`) : provenanceOfFile(file);
    }
    case 'program':
      return (
        (await lookAtDistribution(started, place)) ?? lookAtPackage(started.file) ?? provenanceOfFile(started.file)
      );
    case 'script': {
      const { file, by } = started;
      const distribution = by.family === 'python' ? await lookAtDistribution(started, place) : undefined;
      const found = distribution ?? lookAtPackage(file);
      if (found !== undefined) return found;
      return by.family === 'shell'
        ? { launcher: 'a script of a shell starts the server', script: file }
        : provenanceOfFile(file);
    }
  }
}

async function lookAtDistribution(
  started: Extract<Started, { kind: 'script' | 'module' | 'program' }>,
  place: Place,
): Promise<Looked | undefined> {
  const found = await distributionOf(started, place);
  if (found?.name === undefined || !LAUNCHER_DISTRIBUTIONS.has(found.name)) return found?.provenance;
  // `mcp run server.py`, `fastmcp run server.py:app`
  const named = started.args.map((arg) => arg.replace(/:\w+$/, '')).filter((arg) => arg.endsWith('.py'));
  const [script, ...others] = named.map((arg) => fileNamed(arg, place)).filter((file) => file !== undefined);
  // With two scripts, only the launcher's manual says which one is the server.
  if (script === undefined || others.length > 0) return { launcher: `${found.name} starts the server` };
  return provenanceOfFile(script);
}

function lookAtPackage(file: string): Looked | undefined {
  const owner = npmOwnerOf(file);
  if (owner === undefined) return undefined;
  return LAUNCHER_PACKAGES.has(owner.name) ? { launcher: `${owner.name} starts the server` } : provenanceOfNpm(owner);
}

/** The evidence for a file that belongs to no package: the digest of its own bytes. */
function provenanceOfFile(file: string): Provenance {
  const integrity = digestOfFile(file);
  const name = basename(file);
  if (integrity === undefined) return unproven(`${name} cannot be read, or holds more than 512 MiB`);
  const note = `the digest is of ${name} alone, and not of what it loads`;
  return { source: { type: 'file', name, integrity }, integrity, note };
}
