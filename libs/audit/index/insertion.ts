import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { parseEvent, type Event } from '../../event-log/event.js';
import { toMs } from '../../kernel/time.js';
import type { Cell, Mark } from './messages.js';

/** The members that the index takes from events: ids and codes. Events of another shape are skipped. */
const Decided = z.object({
  taskId: z.string(),
  host: z.string(),
  capability: z.string(),
  version: z.string().optional(),
  decision: z.string(),
  reason: z.string(),
});
const Opened = z.object({
  taskId: z.string(),
  host: z.string(),
  agent: z.string(),
  user: z.object({ id: z.string() }),
  pins: z.array(z.object({ capability: z.string(), version: z.string() })),
  expiresAt: z.string(),
});
const Closed = z.object({ taskId: z.string() });

/** The number of names, of versions and of owners that are kept in memory with their ids. */
const MAX_REMEMBERED = 20_000;
const CELLS_PER_EVENT = 3;

export interface Insertion {
  /** One transaction, the mark included. */
  insert(cells: readonly Cell[], mark: Mark): void;
  /** The tables have been emptied. */
  forget(): void;
}

const statementsOf = (db: DatabaseSync) => ({
  begin: db.prepare('BEGIN IMMEDIATE'),
  commit: db.prepare('COMMIT'),
  mark: db.prepare('INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?, ?)'),
  name: db.prepare('SELECT id FROM names WHERE name = ?'),
  addName: db.prepare('INSERT INTO names (name) VALUES (?)'),
  version: db.prepare('SELECT id FROM versions WHERE version = ? AND capability = ?'),
  addVersion: db.prepare('INSERT INTO versions (version, capability) VALUES (?, ?)'),
  task: db.prepare('SELECT user, agent FROM tasks WHERE task = ?'),
  addTask: db.prepare(
    'INSERT OR IGNORE INTO tasks (task, host, user, agent, opened_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)',
  ),
  closeTask: db.prepare('UPDATE tasks SET closed_ms = ? WHERE task = ?'),
  addPin: db.prepare('INSERT OR IGNORE INTO pins (version, host, expires_ms, task) VALUES (?, ?, ?, ?)'),
  addCall: db.prepare(
    `INSERT INTO calls (position, revision, time_ms, task, host, capability, version, decision, reason, trace)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  addIdentity: db.prepare('INSERT OR IGNORE INTO identities (identity, time_ms, seq) VALUES (?, ?, ?)'),
});

export function insertionOf(db: DatabaseSync): Insertion {
  const sql = statementsOf(db);
  const names = new Map<string, number>();
  /** By capability and version. */
  const versions = new Map<string, number>();
  /** The user and the agent of a task, by its number. */
  const owners = new Map<number, readonly number[]>();

  function forget(): void {
    names.clear();
    versions.clear();
    owners.clear();
  }

  function nameOf(name: string): number {
    return remembered(names, name, () => {
      const row = sql.name.get(name);
      return Number(row === undefined ? sql.addName.run(name).lastInsertRowid : row['id']);
    });
  }

  function versionOf(capability: string, version: string): number {
    return remembered(versions, `${capability} ${version}`, () => {
      const named = nameOf(capability);
      const row = sql.version.get(version, named);
      return Number(row === undefined ? sql.addVersion.run(version, named).lastInsertRowid : row['id']);
    });
  }

  function ownersOf(task: number): readonly number[] {
    const known = owners.get(task);
    if (known !== undefined) return known;
    const row = sql.task.get(task);
    return row === undefined ? [] : remembered(owners, task, () => [Number(row['user']), Number(row['agent'])]);
  }

  function addCall(event: Event, position: bigint, refused: boolean): void {
    const parsed = Decided.safeParse(event.data);
    if (!parsed.success) return;
    const { taskId, host, capability, version, decision, reason } = parsed.data;
    const timeMs = toMs(event.time);
    const task = nameOf(taskId);
    const added = sql.addCall.run(
      position,
      event.revision,
      timeMs,
      task,
      nameOf(host),
      nameOf(capability),
      version === undefined ? null : versionOf(capability, version),
      nameOf(decision),
      nameOf(reason),
      refused ? nameOf(event.traceId ?? '') : null,
    );
    const seq = Number(added.lastInsertRowid);
    // A refused call names a task of another host, so the user of that task is not involved.
    const identities = new Set([nameOf(host), nameOf(event.actor), ...(refused ? [] : ownersOf(task))]);
    for (const identity of identities) sql.addIdentity.run(identity, timeMs, seq);
  }

  function addTask(event: Event): void {
    const parsed = Opened.safeParse(event.data);
    if (!parsed.success) return;
    const { taskId, host, agent, user, pins, expiresAt } = parsed.data;
    const task = nameOf(taskId);
    sql.addTask.run(task, nameOf(host), nameOf(user.id), nameOf(agent), toMs(event.time), toMs(expiresAt));
    for (const { capability, version } of pins) {
      sql.addPin.run(versionOf(capability, version), nameOf(host), toMs(expiresAt), task);
    }
  }

  function add(type: string, json: string, position: bigint): void {
    const event = parseEvent(json);
    if (type === 'CallDecided' || type === 'CallRefused') addCall(event, position, type === 'CallRefused');
    else if (type === 'TaskOpened') addTask(event);
    else if (type === 'TaskClosed') {
      const closed = Closed.safeParse(event.data);
      if (closed.success) sql.closeTask.run(toMs(event.time), nameOf(closed.data.taskId));
    }
  }

  return {
    insert(cells, mark) {
      try {
        sql.begin.run();
        for (let at = 0; at < cells.length; at += CELLS_PER_EVENT) {
          add(String(cells[at + 1]), String(cells[at + 2]), cells[at] as bigint);
        }
        sql.mark.run(mark.position, mark.stream, mark.revision, mark.id);
        sql.commit.run();
      } catch (error) {
        // Rows of a transaction that was rolled back must not be remembered.
        forget();
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
    forget,
  };
}

function remembered<Key, Value>(values: Map<Key, Value>, key: Key, find: () => Value): Value {
  const known = values.get(key);
  if (known !== undefined) return known;
  const value = find();
  if (values.size >= MAX_REMEMBERED) values.clear();
  values.set(key, value);
  return value;
}
