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
/** `TaskClosed` and `TaskShredded`. */
const Ended = z.object({ taskId: z.string() });

/** The number of names, of versions and of owners that are kept in memory with their ids. */
const MAX_REMEMBERED = 20_000;
const CELLS_PER_EVENT = 3;

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
  shredTask: db.prepare('UPDATE tasks SET shredded_ms = ? WHERE task = ?'),
  addPin: db.prepare('INSERT OR IGNORE INTO pins (version, host, expires_ms, task) VALUES (?, ?, ?, ?)'),
  addCall: db.prepare(
    `INSERT INTO calls (position, revision, time_ms, task, host, capability, version, decision, reason, trace)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  addIdentity: db.prepare('INSERT OR IGNORE INTO identities (identity, time_ms, seq) VALUES (?, ?, ?)'),
});

/** Adds events to the index, and remembers the ids of names, versions and owners. */
export class Insertion {
  private readonly sql: ReturnType<typeof statementsOf>;
  private readonly names = new Map<string, number>();
  /** By capability and version. */
  private readonly versions = new Map<string, number>();
  /** The user and the agent of a task, by its number. */
  private readonly owners = new Map<number, readonly number[]>();

  constructor(private readonly db: DatabaseSync) {
    this.sql = statementsOf(db);
  }

  /** Adds events and the mark in one transaction. `cells` are position, type and JSON of each event. */
  insert(cells: readonly Cell[], mark: Mark): void {
    try {
      this.sql.begin.run();
      for (let at = 0; at < cells.length; at += CELLS_PER_EVENT) {
        this.add(String(cells[at + 1]), String(cells[at + 2]), cells[at] as bigint);
      }
      this.sql.mark.run(mark.position, mark.stream, mark.revision, mark.id);
      this.sql.commit.run();
    } catch (error) {
      // Rows of a transaction that was rolled back must not be remembered.
      this.forget();
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Forgets the ids. Must be called after the tables have been emptied. */
  forget(): void {
    this.names.clear();
    this.versions.clear();
    this.owners.clear();
  }

  private add(type: string, json: string, position: bigint): void {
    const event = parseEvent(json);
    if (type === 'CallDecided' || type === 'CallRefused') this.addCall(event, position, type === 'CallRefused');
    else if (type === 'TaskOpened') this.addTask(event);
    else if (type === 'TaskClosed' || type === 'TaskShredded') {
      const ended = Ended.safeParse(event.data);
      const statement = type === 'TaskClosed' ? this.sql.closeTask : this.sql.shredTask;
      if (ended.success) statement.run(toMs(event.time), this.nameOf(ended.data.taskId));
    }
  }

  private addCall(event: Event, position: bigint, refused: boolean): void {
    const parsed = Decided.safeParse(event.data);
    if (!parsed.success) return;
    const { taskId, host, capability, version, decision, reason } = parsed.data;
    const timeMs = toMs(event.time);
    const task = this.nameOf(taskId);
    const added = this.sql.addCall.run(
      position,
      event.revision,
      timeMs,
      task,
      this.nameOf(host),
      this.nameOf(capability),
      version === undefined ? null : this.versionOf(capability, version),
      this.nameOf(decision),
      this.nameOf(reason),
      refused ? this.nameOf(event.traceId ?? '') : null,
    );
    const seq = Number(added.lastInsertRowid);
    // A refused call names a task of another host, so the user of that task is not involved.
    const identities = new Set([this.nameOf(host), this.nameOf(event.actor), ...(refused ? [] : this.ownersOf(task))]);
    for (const identity of identities) this.sql.addIdentity.run(identity, timeMs, seq);
  }

  private addTask(event: Event): void {
    const parsed = Opened.safeParse(event.data);
    if (!parsed.success) return;
    const { taskId, host, agent, user, pins, expiresAt } = parsed.data;
    const task = this.nameOf(taskId);
    const expiresMs = toMs(expiresAt);
    this.sql.addTask.run(
      task,
      this.nameOf(host),
      this.nameOf(user.id),
      this.nameOf(agent),
      toMs(event.time),
      expiresMs,
    );
    for (const { capability, version } of pins) {
      this.sql.addPin.run(this.versionOf(capability, version), this.nameOf(host), expiresMs, task);
    }
  }

  private nameOf(name: string): number {
    return remembered(this.names, name, () => {
      const row = this.sql.name.get(name);
      return Number(row === undefined ? this.sql.addName.run(name).lastInsertRowid : row['id']);
    });
  }

  private versionOf(capability: string, version: string): number {
    return remembered(this.versions, `${capability} ${version}`, () => {
      const named = this.nameOf(capability);
      const row = this.sql.version.get(version, named);
      return Number(row === undefined ? this.sql.addVersion.run(version, named).lastInsertRowid : row['id']);
    });
  }

  private ownersOf(task: number): readonly number[] {
    const known = this.owners.get(task);
    if (known !== undefined) return known;
    const row = this.sql.task.get(task);
    return row === undefined ? [] : remembered(this.owners, task, () => [Number(row['user']), Number(row['agent'])]);
  }
}

function remembered<Key, Value>(values: Map<Key, Value>, key: Key, find: () => Value): Value {
  const known = values.get(key);
  if (known !== undefined) return known;
  const value = find();
  if (values.size >= MAX_REMEMBERED) values.clear();
  values.set(key, value);
  return value;
}
