import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Notice, Order } from './keeper.js';

/** A program that a keeper runs. */
export interface Kept {
  readonly pid: number;
  /** How it went, once it has: `exit code 0`, `signal SIGKILL`. */
  gone(): string | undefined;
}

export interface Keeper {
  /** A temporary folder that goes with the keeper. */
  readonly folder: string;
  /** Starts a program, one at a time. */
  run(order: Order): Promise<Kept>;
  /** Waits until a program has gone, and says how. Throws when that takes longer than `timeoutMs`, a minute by default. */
  ended(kept: Kept, timeoutMs?: number): Promise<string>;
  /** Kills what runs and removes the folder; resolves when both are gone. */
  end(): Promise<void>;
}

const WAIT_MS = 60_000;
/** The environment that Java and Maven need, and nothing of the test runner's. */
const INHERITED = /^(PATH|HOME|USER|TMPDIR|(JAVA|JDK|MAVEN)_\w+)$/;

/** Starts a keeper (`keeper.ts`). Its programs never outlive this process. */
export async function startKeeper(): Promise<Keeper> {
  const inherited = Object.entries(process.env).filter(([name]) => INHERITED.test(name));
  const keeper = fork(join(import.meta.dirname, 'keeper.js'), {
    detached: true,
    execArgv: [],
    env: Object.fromEntries(inherited),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  // A test that forgets to stop its broker still ends, and its keeper with it. Each wait below has its own timer.
  keeper.unref();
  keeper.channel?.unref();

  const waiting = new Set<() => void>();
  const look = (): void => waiting.forEach((each) => each());
  let folder: string | undefined;
  let pid: number | undefined;
  let gone: string | undefined;
  let keeperGone = false;
  keeper.on('message', (notice: Notice) => {
    if ('folder' in notice) ({ folder } = notice);
    else if ('pid' in notice) ({ pid } = notice);
    else ({ gone } = notice);
    look();
  });
  keeper.once('exit', () => {
    keeperGone = true;
    gone ??= 'its keeper ended';
    look();
  });

  /** Waits until `see` gives a value, and asks after each notice. */
  const until = <Seen>(see: () => Seen | undefined, timeoutMs = WAIT_MS): Promise<Seen> =>
    new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        waiting.delete(check);
        settle();
      };
      const check = (): void => {
        const seen = see();
        if (seen !== undefined) done(() => resolve(seen));
        else if (keeperGone) done(() => reject(new Error('the keeper of the broker ended')));
      };
      const timer = setTimeout(() => done(() => reject(new Error(`nothing for ${timeoutMs} ms`))), timeoutMs);
      waiting.add(check);
      check();
    });

  return {
    folder: await until(() => folder),
    async run(order) {
      pid = gone = undefined;
      keeper.send(order);
      // A program that cannot be started has no pid, and is gone at once.
      const started = await until(() => pid ?? gone);
      if (typeof started === 'string') throw new Error(`${order.command[0]}: ${started}`);
      return { pid: started, gone: () => (started === pid ? gone : 'it was replaced') };
    },
    ended: (kept, timeoutMs) => until(() => kept.gone(), timeoutMs),
    async end() {
      if (keeper.connected) keeper.disconnect();
      await until(() => (keeperGone ? true : undefined));
    },
  };
}
