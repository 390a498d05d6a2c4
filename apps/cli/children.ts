import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** A child process in a process group of its own, so that everything it starts can be stopped with it. */
export interface Child {
  /** Absent if the program could not be started. */
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Resolves when the process is gone, with the way it ended: `exit code 1`, `signal SIGKILL`, or why it never started.
   */
  readonly gone: Promise<string>;
  /** Sends a signal to the whole group. */
  signal(signal: NodeJS.Signals): void;
  /** Asks politely (end of stdin, SIGTERM), then kills the whole group; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>;
}

export interface ChildOptions {
  /** The whole environment of the child. It inherits nothing else. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const GRACE_MS = 500;
const groups = new Set<ChildProcess>();
let hooked = false;

/** Starts a program without a shell: its arguments are never interpreted by anything but the program. */
export function startChild(program: string, args: readonly string[], options: ChildOptions): Child {
  const child = spawn(program, args, {
    env: { ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  if (!hooked) process.once('exit', killAll);
  hooked = true;
  groups.add(child);
  // Writing to a dead child fails with an error of the pipe. `gone` reports the same more clearly.
  child.stdin.on('error', () => undefined);
  const gone = new Promise<string>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(`could not start: ${error.code ?? error.message}`));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  return {
    pid: child.pid,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    gone,
    signal: (signal) => signalGroup(child, signal),
    stop: async (graceMs = GRACE_MS) => {
      child.stdin.end();
      if (!(await within(gone, graceMs))) {
        signalGroup(child, 'SIGTERM');
        await within(gone, graceMs);
      }
      // Runs even if the process ended on its own: its children may still be there.
      signalGroup(child, 'SIGKILL');
      await gone;
      groups.delete(child);
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    },
  };
}

/** Makes the usual signals end this process by `process.exit`, which takes the children's groups along. */
export function exitOnSignals(): void {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  for (const [signal, number] of Object.entries(numbers)) process.once(signal, () => process.exit(128 + number));
}

function killAll(): void {
  for (const child of groups) signalGroup(child, 'SIGKILL');
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // ESRCH: the group has no process left.
  }
}

async function within(gone: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const inTime = await Promise.race([gone.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
