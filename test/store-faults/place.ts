import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openSqliteLog, type SqliteLog, type SqliteLogOptions } from '../../libs/event-log/sqlite/sqlite-log.js';
import { committed, write } from '../contracts/facts.js';

/** A folder for one test, gone afterwards, with its logs closed and its processes ended, however the test ended. */
export interface Place {
  readonly folder: string;
  readonly file: string;
  readonly open: (options?: Partial<SqliteLogOptions>) => Promise<SqliteLog>;
  /** Runs `other-process.ts` with these arguments. `launcher` is a command that runs it, such as `setpriv --reset-env`. */
  readonly spawn: (args: readonly string[], launcher?: readonly string[]) => OtherProcess;
}

export async function inPlace(body: (place: Place) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-faults-'));
  const file = join(folder, 'log.db');
  const logs: SqliteLog[] = [];
  const others: OtherProcess[] = [];
  const open: Place['open'] = async (options) => {
    const log = await openSqliteLog({ file, ...options });
    logs.push(log);
    return log;
  };
  const start: Place['spawn'] = (args, launcher) => {
    const other = otherProcess(args, launcher);
    others.push(other);
    return other;
  };
  try {
    await body({ folder, file, open, spawn: start });
  } finally {
    for (const other of others) await other.kill();
    for (const log of logs) await log.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Fills a log with one event per append on some streams, and closes it. */
export async function fill({ open }: Place, events: number): Promise<void> {
  const log = await open();
  for (let index = 0; index < events; index += 1) {
    await committed(log, write(`calls-${index % 5}`, Math.floor(index / 5), { index, pad: 'x'.repeat(900) }));
  }
  await log.close();
}

/** A process of its own that opens a log; see `other-process.ts`. */
export interface OtherProcess {
  /** The next line that it says; undefined when it has ended. */
  line(): Promise<string | undefined>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
}

function otherProcess(args: readonly string[], launcher: readonly string[] = []): OtherProcess {
  const script = fileURLToPath(new URL('./other-process.js', import.meta.url));
  const [program = process.execPath, ...rest] = [...launcher, process.execPath, script, ...args];
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    line: async () => (await lines.next()).value,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
