import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { exitOnSignals } from '../../apps/cli/children.js';

/** A server under load: a process in a group of its own, its output in a file. */
export interface Running {
  readonly pid: number;
  /** Its output so far. */
  output(): string;
  /** Seconds of processor time that it has used, user and system together; undefined where /proc is not. */
  cpuS(): number | undefined;
  /** The same by the names of its threads, those of one name together; empty where /proc is not. */
  threadsCpuS(): ReadonlyMap<string, number>;
  /** Resident memory in MiB; undefined where /proc is not. */
  residentMiB(): number | undefined;
  /** SIGTERM, then SIGKILL to its group. */
  stop(): Promise<void>;
}

const POLL_MS = 5;
const STOP_MS = 12_000;
const groups = new Set<number>();
let hooked = false;

export function run(
  command: readonly string[],
  options: { outputFile: string; env?: Record<string, string>; cwd?: string },
): Running {
  const [program = '', ...args] = command;
  const { PATH = '', HOME = '' } = process.env;
  const output = openSync(options.outputFile, 'w');
  const child = spawn(program, args, {
    env: { PATH, HOME, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['ignore', output, output],
    detached: true,
  });
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} could not be started`);
  if (!hooked) {
    exitOnSignals();
    // Before any other listener: the files can be removed only after the processes are gone.
    process.prependOnceListener('exit', () => groups.forEach(killGroup));
    hooked = true;
  }
  groups.add(pid);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid,
    output: () => readFileSync(options.outputFile, 'utf8'),
    cpuS: () => cpuSOf(`/proc/${pid}/stat`),
    threadsCpuS: () => threadsCpuSOf(pid),
    residentMiB: () => residentMiBOf(pid),
    async stop() {
      child.kill('SIGTERM');
      await Promise.race([gone, pause(STOP_MS, undefined, { ref: false })]);
      killGroup(pid);
      await gone;
      groups.delete(pid);
    },
  };
}

/** Waits until `look` sees something. Throws with what the process said when that takes longer than `timeoutMs`. */
export async function until<Seen>(
  running: Running,
  look: () => Promise<Seen | undefined> | Seen | undefined,
  timeoutMs = 30_000,
): Promise<Seen> {
  for (const endMs = performance.now() + timeoutMs; performance.now() < endMs; await pause(POLL_MS)) {
    const seen = await look();
    if (seen !== undefined) return seen;
  }
  throw new Error(`not ready in ${timeoutMs} ms: ${running.output().slice(-500)}`);
}

/** Whether an address answers 200. */
export async function isUp(url: string): Promise<true | undefined> {
  const answer = await fetch(url).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.status === 200 ? true : undefined;
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

let ticksPerS: number | undefined;

function cpuSOf(file: string): number | undefined {
  try {
    ticksPerS ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
    const stat = readFileSync(file, 'utf8');
    // The name, in brackets, may hold anything; utime and stime are the fields 14 and 15 of the whole.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerS;
  } catch {
    return undefined;
  }
}

function threadsCpuSOf(pid: number): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  const tasks = `/proc/${pid}/task`;
  for (const task of existsSync(tasks) ? readdirSync(tasks) : []) {
    const name = readFileSync(`${tasks}/${task}/comm`, 'utf8').trim();
    used.set(name, (used.get(name) ?? 0) + (cpuSOf(`${tasks}/${task}/stat`) ?? 0));
  }
  return used;
}

function residentMiBOf(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) / 1024;
  } catch {
    return undefined;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: nobody of the group is left.
  }
}
