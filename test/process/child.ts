import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { exitOnSignals } from '../../apps/cli/children.js';
import { projectRoot } from '../support/root.js';
import { callerOf, tokensOf, type Callable, type Tokens } from '../support/service.js';
import type { TestContext } from '../support/testing.js';

/** The service as it is run for real: a process of its own, in a process group of its own. */

/** Generous: a machine that is busy with other things takes seconds for what else takes a tenth of one. */
const READY_MS = 60_000;
const EXIT_MS = 60_000;
const POLL_MS = 5;
const OUTPUT_MS = 500;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A started program, alive or not. */
export interface Program {
  readonly pid: number;
  /** Its output so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Settles when it has ended and all that it said was read, unless another process holds on to its output. */
  readonly exit: Promise<Exit>;
  /** Sends a signal to this process alone; nothing where it is gone. */
  kill(signal: NodeJS.Signals): void;
  /** Whether any process of its group is left. */
  groupIsLeft(): boolean;
}

/** A service that has said where it listens and calls itself ready. */
export interface ServiceProcess extends Program, Callable {
  readonly url: string;
  readonly tokens: Tokens;
  /** From the launch to the first 200 of `/health/ready`, in milliseconds. */
  readonly readyMs: number;
}

export interface LaunchOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another command than the service itself. */
  readonly command?: readonly [string, ...string[]];
}

/** A temporary data folder and the processes on it; all of it is gone after the test, however that ends. */
export interface Place {
  readonly dataDir: string;
  /** Starts a program and waits for nothing. */
  launch(options?: LaunchOptions): Program;
  /** Starts the service and waits until it is ready. */
  start(options?: LaunchOptions): Promise<ServiceProcess>;
}

const groups = new Set<number>();
let hooked = false;

export function place(t: Pick<TestContext, 'after'>): Place {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-process-'));
  const programs: Program[] = [];
  t.after(async () => {
    for (const { pid } of programs) killGroup(pid);
    await Promise.all(programs.map(({ exit }) => exit));
    for (const { pid } of programs) groups.delete(pid);
    rmSync(dataDir, { recursive: true, force: true });
  });
  const launch = (options: LaunchOptions = {}): Program => {
    const program = launched(dataDir, options);
    programs.push(program);
    return program;
  };
  return {
    dataDir,
    launch,
    start: async (options) => {
      const startedMs = performance.now();
      const program = launch(options);
      const url = await listening(program);
      await ready(program, url);
      const readyMs = performance.now() - startedMs;
      const tokens = tokensOf(dataDir);
      return { ...program, url, tokens, readyMs, call: callerOf(url, tokens) };
    },
  };
}

/** The URL that the service says it listens on, once it is up. Throws when it ends before, with what it complained of. */
export function listening(program: Program): Promise<string> {
  return until(program, () => /"url":"(https?:[^"]+)"/.exec(program.stdout())?.[1]);
}

/** A line of the log of the service. */
export interface LogLine {
  readonly level: string;
  readonly service: string;
  readonly version: string;
  readonly pid: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The lines of its standard output so far. Throws if one is not JSON. */
export function jsonLines({ stdout }: Pick<Program, 'stdout'>): LogLine[] {
  const lines = stdout().split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as LogLine);
}

/** Asks `look` every few milliseconds until it gives a value. Throws if the program ends first, or the time is over. */
export async function until<Seen>(program: Program, look: () => Seen | undefined | Promise<Seen | undefined>) {
  let exit: Exit | undefined;
  void program.exit.then((gone) => (exit = gone));
  for (const endMs = performance.now() + READY_MS; performance.now() < endMs; await pause(POLL_MS)) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (exit !== undefined) throw new Error(`it ended with ${JSON.stringify(exit)}: ${program.stderr()}`);
  }
  throw new Error(`not in time: ${program.stdout()}${program.stderr()}`);
}

/** How it ended. Throws where it does not end in time. */
export async function ended({ exit, stdout, stderr }: Program, timeoutMs = EXIT_MS): Promise<Exit> {
  const gone = await Promise.race([exit, pause(timeoutMs, undefined, { ref: false })]);
  if (gone === undefined) throw new Error(`it had not ended after ${timeoutMs} ms: ${stdout()}${stderr()}`);
  return gone;
}

async function ready(program: Program, url: string): Promise<void> {
  await until(program, async () => {
    const answer = await fetch(`${url}/health/ready`).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.status === 200 ? true : undefined;
  });
}

function launched(dataDir: string, { env = {}, cwd = projectRoot, command }: LaunchOptions): Program {
  const [program, ...args] = command ?? [process.execPath, join(cwd, 'dist', 'apps', 'pdp', 'main.js')];
  // Nothing is inherited that could be a setting of the service, of npm or of the test runner.
  const { PATH = '', HOME = '' } = process.env;
  const free = '127.0.0.1:0';
  const ports = { SALLYPORT_HTTP: free, SALLYPORT_GRPC: free, SALLYPORT_METRICS: free };
  const child = spawn(program, args, {
    cwd,
    env: { PATH, HOME, SALLYPORT_DATA: dataDir, ...ports, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} could not be started`);
  if (!hooked) {
    exitOnSignals();
    process.once('exit', () => groups.forEach(killGroup));
    hooked = true;
  }
  groups.add(pid);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const exit = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      const done = (): void => resolve({ code, signal });
      child.once('close', done);
      setTimeout(done, OUTPUT_MS);
    });
  });
  return {
    pid,
    stdout: () => out,
    stderr: () => err,
    exit,
    kill: (signal) => void child.kill(signal),
    groupIsLeft: () => isThere(-pid),
  };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: nobody of the group is left.
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
