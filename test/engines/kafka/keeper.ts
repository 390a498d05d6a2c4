import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A process between a test and the broker that it started, the owner of the broker's process and of its folder. When its
 * channel closes, however the test went (SIGKILL included), it kills the one, removes the other, and ends. It is to be
 * started in a session of its own, so that what ends the test's process group does not end it first.
 */

/** Commands of the parent: one program at a time. The output goes to the end of the log file. */
export interface Order {
  readonly command: readonly [string, ...string[]];
  readonly logFile: string;
}

/** Messages to the parent: its folder once, then each program's pid and the way it ended. */
export type Notice = { readonly folder: string } | { readonly pid: number } | { readonly gone: string };

const folder = mkdtempSync(join(tmpdir(), 'sallyport-kafka-'));
let running: ChildProcess | undefined;
let ending = false;

process.on('message', ({ command: [program, ...args], logFile }: Order) => {
  const log = openSync(logFile, 'a');
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', log, log] });
  closeSync(log);
  running = child;
  child.once('error', ({ message }) => over(message));
  child.once('exit', (code, signal) => over(signal === null ? `exit code ${code}` : `signal ${signal}`));
  if (child.pid !== undefined) tell({ pid: child.pid });
});

process.once('disconnect', () => {
  ending = true;
  if (running === undefined) remove();
  else running.kill('SIGKILL');
});

for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => process.connected && process.disconnect());
}

tell({ folder });

function over(how: string): void {
  running = undefined;
  if (ending) remove();
  else tell({ gone: how });
}

function remove(): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit();
}

function tell(notice: Notice): void {
  // Without a connection nobody listens, and `disconnect` does the rest.
  if (process.connected) process.send?.(notice, undefined, undefined, () => undefined);
}
