import { Agent, get } from 'node:http';
import { setPriority } from 'node:os';

/**
 * Auditors that ask all the time, in a process of their own. Elsewhere they sit on other machines, so this process yields
 * to the others. An answer is read to its end, and not parsed.
 */

export interface AuditorsOrder {
  readonly url: string;
  readonly auditors: readonly {
    readonly token: string;
    /** Asked for in turns. */
    readonly paths: readonly string[];
  }[];
}

/** Since the last `start`. */
export interface AuditorsReport {
  readonly answers: number;
  readonly failed: number;
  readonly bytes: number;
}

const OTHERS_FIRST = 15;
let asking: { stopped: boolean; done: Promise<unknown> } | undefined;
let [answers, failed, bytes] = [0, 0, 0];
let order: AuditorsOrder | undefined;
const agent = new Agent({ keepAlive: true });

function ask(token: string, path: string): Promise<void> {
  return new Promise((resolve) => {
    const asked = get(`${order?.url}${path}`, { agent, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      if (answer.statusCode === 200) answers += 1;
      else failed += 1;
      answer.on('data', (chunk: Buffer) => (bytes += chunk.byteLength));
      answer.on('error', () => (failed += 1));
      answer.on('close', () => resolve());
    });
    asked.on('error', () => {
      failed += 1;
      resolve();
    });
  });
}

process.on('message', (message: AuditorsOrder | 'start' | 'stop') => {
  if (message === 'start') {
    const state = { stopped: false, done: Promise.resolve() as Promise<unknown> };
    [answers, failed, bytes] = [0, 0, 0];
    const loop = async ({ token, paths }: AuditorsOrder['auditors'][number]): Promise<void> => {
      for (let at = 0; !state.stopped; at += 1) await ask(token, paths[at % paths.length] ?? '');
    };
    state.done = Promise.all((order?.auditors ?? []).map(loop));
    asking = state;
  } else if (message === 'stop') {
    if (asking !== undefined) asking.stopped = true;
    void Promise.resolve(asking?.done).then(() => process.send?.({ answers, failed, bytes } satisfies AuditorsReport));
  } else {
    order = message;
    process.send?.({ answers, failed, bytes } satisfies AuditorsReport);
  }
});
process.on('disconnect', () => process.exit());
setPriority(OTHERS_FIRST);
