import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import type { ArchiveList } from '../../libs/audit/archives.js';
import { sallyportIn, type Printed } from '../backup/ground.js';
import { decide } from '../support/calls.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';

/** A data folder with traces that ended, one that goes on, and one that ended later; sealed, with its witness. */
export interface Ended {
  readonly dataDir: string;
  readonly witness: string;
  /** After the end of the first ones, before that of the last one. */
  readonly before: string;
  readonly tasks: { readonly ended: readonly Answered[]; readonly open: Answered; readonly later: Answered };
}

export interface Ground extends Ended {
  /** A copy that a test may change: of the folder as it was made, or of another copy. */
  copy(of?: Ended): Ended;
  remove(): void;
}

const CALLS = 3;

async function taskWithCalls(service: TestService): Promise<Answered> {
  const task = await openTask(service);
  const { taskId } = task;
  for (let at = 0; at < CALLS; at += 1) {
    const { callId } = await decide(service, task);
    const result = { content: [{ type: 'text', text: `note ${at}` }] };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, { taskId, result }));
    expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/outcome`, { taskId, status: 'succeeded' }));
  }
  return task;
}

const close = async (service: TestService, { taskId }: Answered): Promise<void> =>
  void expecting(200, await service.call('host', 'POST', `/v1/tasks/${taskId}/close`, { reason: 'done' }));

export const startIn = ({ dataDir, witness }: Pick<Ended, 'dataDir' | 'witness'>): Promise<TestService> =>
  startService({ dataDir, sealing: undefined, env: { SALLYPORT_WITNESS_DIR: witness } });

/** `count`: traces that ended, two unless given. */
export async function endedTraces(count = 2): Promise<Ground> {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-archive-'));
  const [dataDir, witness] = [join(root, 'data'), join(root, 'witness')];
  const service = await startIn({ dataDir, witness });
  await readyWorld(service);
  const ended: Answered[] = [];
  while (ended.length < count) ended.push(await taskWithCalls(service));
  for (const task of ended) await close(service, task);
  const open = await taskWithCalls(service);
  // Times of events are whole milliseconds, and rise by one at least.
  await pause(5);
  const before = new Date().toISOString();
  await pause(5);
  const later = await taskWithCalls(service);
  await close(service, later);
  await service.stop('keep');
  const made = { before, tasks: { ended, open, later } };
  let copies = 0;
  return {
    dataDir,
    witness,
    ...made,
    copy(of = { dataDir, witness, ...made }) {
      copies += 1;
      const at = { dataDir: join(root, `copy-${copies}`, 'data'), witness: join(root, `copy-${copies}`, 'witness') };
      cpSync(of.dataDir, at.dataDir, { recursive: true });
      cpSync(of.witness, at.witness, { recursive: true });
      return { ...at, ...made };
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A command of `sallyport` on a data folder with its witness. */
export const commandOn = ({ dataDir, witness }: Ended, ...args: string[]): Promise<Printed> =>
  sallyportIn({ SALLYPORT_WITNESS_DIR: witness }, dataDir, ...args);

export const archiveOf = (folder: Ended): string => join(folder.dataDir, '..', 'archive');

/** `sallyport archive`, which has to succeed. */
export async function archive(folder: Ended, ...flags: string[]): Promise<Printed> {
  const printed = await commandOn(folder, 'archive', '--before', folder.before, '--out', archiveOf(folder), ...flags);
  assert.deepEqual([printed.code, printed.err], [0, ''], printed.out);
  return printed;
}

/** The lists in the folder of the archive. */
export const listsOf = (folder: Ended): ArchiveList[] =>
  readdirSync(archiveOf(folder))
    .filter((name) => /^archive-[0-9a-f]{64}\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(join(archiveOf(folder), name), 'utf8')) as ArchiveList);

/** `sallyport check` finds nothing. Returns its line of counts. */
export async function assertWhole(folder: Ended): Promise<string> {
  const { code, out } = await commandOn(folder, 'check');
  assert.equal(code, 0, out);
  return out;
}

export function inLog<Value>({ dataDir }: Pick<Ended, 'dataDir'>, use: (db: DatabaseSync) => Value): Value {
  // A program that starts or ends on the folder has the log for itself for a moment.
  const db = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 10_000 });
  try {
    return use(db);
  } finally {
    db.close();
  }
}

export const countIn = (folder: Ended, sql: string): number =>
  inLog(folder, (db) => Number(Object.values(db.prepare(sql).get() ?? {})[0]));
