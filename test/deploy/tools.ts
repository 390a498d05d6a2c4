import { execFile } from 'node:child_process';
import { mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../support/root.js';

const run = promisify(execFile);
const CACHE = join(realpathSync(join(projectRoot, 'node_modules')), '.cache', 'deploy');
/** A first `go run` compiles Helm: minutes on two busy cores. */
const OBTAIN_MS = 600_000;

/** A command that works: the program and its first arguments. */
export type Tool = readonly [program: string, ...args: string[]];

/** Prometheus' `promtool`: the one on the path, else the one in Debian's package, which is not installed for it. */
export async function promtool(): Promise<Tool | undefined> {
  if (await works(['promtool', '--version'])) return ['promtool'];
  const folder = join(CACHE, 'prometheus');
  const program = join(folder, 'usr', 'bin', 'promtool');
  if (!(await works([program, '--version']))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const download = '(apt-get -q download prometheus || (apt-get -q update && apt-get -q download prometheus))';
    const unpack = 'dpkg -x prometheus_*.deb . && rm prometheus_*.deb';
    await run('sh', ['-c', `${download} && ${unpack}`], { cwd: folder, timeout: OBTAIN_MS }).catch(() => undefined);
  }
  return (await works([program, '--version'])) ? [program] : undefined;
}

/** Helm: the one on the path, else the one that Go compiles from its module proxy. */
export async function helm(): Promise<Tool | undefined> {
  if (await works(['helm', 'version'])) return ['helm'];
  const compiled: Tool = ['go', 'run', 'helm.sh/helm/v3/cmd/helm@v3.22.0'];
  return (await works([...compiled, 'version'])) ? compiled : undefined;
}

async function works([program, ...args]: Tool): Promise<boolean> {
  return run(program, args, { timeout: OBTAIN_MS }).then(
    () => true,
    () => false,
  );
}
