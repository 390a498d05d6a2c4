import { createPrivateKey } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { checkFolder, type CheckedFolder } from '../../apps/pdp/check/check.js';
import { restoreWrite } from '../../libs/backup/incarnation.js';
import { toInstant } from '../../libs/kernel/time.js';
import { parseEvent, sealEvent, type Event } from '../../libs/event-log/event.js';
import { WalkedStreams } from '../../libs/seal/check-seals.js';
import { Ledger, NO_COUNTS } from '../../libs/seal/ledger.js';
import { LEAF_CATEGORIES } from '../../libs/seal/sealer.js';
import { signCheckpoint } from '../../libs/transparency/checkpoint.js';
import { hashText } from '../../libs/transparency/hash.js';
import { GrowingTree } from '../../libs/transparency/tree.js';
import { addPrincipal } from '../support/actors.js';
import { decide, stop } from '../support/calls.js';
import { startService, type TestService } from '../support/service.js';
import { expecting, openTask, proposal, readyWorld } from '../support/world.js';

/** A data folder with a life in it, sealed to its end, its witness, and copies of both that a test may falsify. */
export interface SealedFolder {
  /** A copy of its own; `older`: as it was before its last events. */
  copy(older?: 'older'): Falsified;
  remove(): void;
}

export interface Falsified {
  readonly dataDir: string;
  readonly witness: string;
  /** The log, or another database of the folder. */
  edit(change: (db: DatabaseSync) => void, file?: string): void;
  check(): CheckedFolder;
  start(): Promise<TestService>;
}

export async function sealedFolder(): Promise<SealedFolder> {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-sealed-'));
  const [dataDir, witness] = [join(root, 'data'), join(root, 'witness')];
  const start = (at = dataDir, seen = witness): Promise<TestService> =>
    startService({ dataDir: at, sealing: undefined, env: { SALLYPORT_WITNESS_DIR: seen } });
  const first = await start();
  await live(first);
  await first.stop('keep');
  cpSync(dataDir, join(root, 'older'), { recursive: true });
  const second = await start();
  await addPrincipal(second, ['auditor']);
  await second.stop('keep');
  let copies = 0;
  return {
    copy(older) {
      copies += 1;
      const at = join(root, `copy-${copies}`);
      const falsified = { dataDir: join(at, 'data'), witness: join(at, 'witness') };
      cpSync(older === undefined ? dataDir : join(root, 'older'), falsified.dataDir, { recursive: true });
      cpSync(witness, falsified.witness, { recursive: true });
      const logFile = join(falsified.dataDir, 'sallyport.db');
      return {
        ...falsified,
        edit(change, file = 'sallyport.db') {
          const db = new DatabaseSync(join(falsified.dataDir, file));
          try {
            change(db);
          } finally {
            db.close();
          }
        },
        check: () => checkFolder({ dataDir: falsified.dataDir, logFile, witnessDir: falsified.witness }),
        start: () => start(falsified.dataDir, falsified.witness),
      };
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Two tasks with calls, responses and outcomes, a rejected and a revoked version, a directive, a policy. */
async function live(service: TestService): Promise<void> {
  await readyWorld(service);
  const capability = '/v1/capabilities/memory/versions';
  expecting(201, await service.call('registrar', 'POST', capability, proposal('2.0.0')));
  const rejection = { verdict: 'rejected', reason: 'not needed' };
  expecting(200, await service.call('reviewer', 'POST', `${capability}/2.0.0/review`, rejection));
  for (let number = 0; number < 2; number += 1) {
    const task = await openTask(service);
    for (let at = 0; at < 4; at += 1) {
      const { callId } = await decide(service, task);
      const { taskId } = task;
      const result = { content: [{ type: 'text', text: `note ${at}` }] };
      expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, { taskId, result }));
      const outcome = { taskId, status: 'succeeded' };
      expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/outcome`, outcome));
    }
  }
  await stop(service, { type: 'category', category: 'nothing' }, { lift: true });
  const revocation = { reason: 'withdrawn' };
  expecting(200, await service.call('reviewer', 'POST', `${capability}/1.0.0/revoke`, revocation));
}

interface Row {
  readonly position: number;
  readonly json: string;
}

/** The rows of events of a type, in order. */
export const rowsOf = (db: DatabaseSync, type: string): Row[] =>
  db
    .prepare('SELECT position, json FROM events WHERE type = ? ORDER BY position')
    .all(type)
    .map((row) => ({ position: Number(row['position']), json: String(row['json']) }));

/** Changes an event and derives its id again, as an attacker who knows the format would. */
export function reseal(db: DatabaseSync, { position, json }: Row, change: (event: Event) => object): void {
  const { id: _, ...event } = { ...parseEvent(json) };
  const changed = sealEvent({ ...event, ...change(parseEvent(json)) });
  db.prepare('UPDATE events SET json = ?, type = ? WHERE position = ?').run(changed.json, changed.type, position);
}

/** Changes the data of the last event of a type. */
export const dataOf =
  (type: string, change: (data: Record<string, unknown>) => object) =>
  (db: DatabaseSync): void => {
    const row = rowsOf(db, type).at(-1);
    if (row === undefined) throw new Error(`there is no ${type}`);
    reseal(db, row, ({ data }) => ({ data: { ...(data as object), ...change(data as Record<string, unknown>) } }));
  };

/** Changes members of the last event of a type. */
export const headOf =
  (type: string, members: object) =>
  (db: DatabaseSync): void => {
    const row = rowsOf(db, type).at(-1);
    if (row === undefined) throw new Error(`there is no ${type}`);
    reseal(db, row, () => members);
  };

/** Signs all checkpoints again for the events as they are now, as an attacker who has the key of the log would. */
export function signAgain(db: DatabaseSync, dataDir: string): void {
  const key = createPrivateKey(readFileSync(join(dataDir, 'log-key.pem')));
  const ledger = new Ledger({ tree: GrowingTree.empty(), streams: new WalkedStreams(), counts: NO_COUNTS });
  const events = db.prepare(
    `SELECT position, name, revision, category, type, json FROM events JOIN streams ON streams.id = stream_id
     WHERE position > ? AND position <= ? ORDER BY position`,
  );
  let before = 0;
  for (const row of rowsOf(db, 'CheckpointSealed')) {
    const data = parseEvent(row.json).data as { through: string; note: string };
    for (const { position, name, revision, category, type, json } of events.all(before, Number(data.through)))
      if (LEAF_CATEGORIES.includes(String(category)))
        ledger.add({
          position: BigInt(Number(position)),
          stream: String(name),
          revision: Number(revision),
          type: String(type),
          json: String(json),
        });
    before = Number(data.through);
    const { size, root, completeness } = ledger.seal();
    const note = signCheckpoint({ origin: data.note.split('\n')[0] ?? '', size, root }, key);
    reseal(db, row, () => ({ data: { ...data, size, root: hashText(root), completeness, note } }));
  }
}

/** Appends a `LogRestored` of now, as an attacker who hides a rollback would. */
export function forgeRestore(db: DatabaseSync): void {
  const nowMs = Date.now();
  const backup = { backupAt: toInstant(nowMs), backupHead: '1', backupEpoch: 0 };
  const [event] = restoreWrite({ backup, after: Math.floor(nowMs / 1000), nowMs, newestMs: nowMs, revision: 0 }).events;
  const id = Number(db.prepare("INSERT INTO streams (name) VALUES ('log')").run().lastInsertRowid);
  db.prepare("INSERT INTO events SELECT max(position) + 1, ?, 1, 'log', 'LogRestored', ? FROM events").run(
    id,
    event?.json ?? '',
  );
}
