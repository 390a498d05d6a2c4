import type { DatabaseSync } from 'node:sqlite';
import { toInstant, type Instant } from '../../kernel/time.js';
import { Conditions } from './conditions.js';
import type { FoundTasks, IndexRequest, Place, TaskListFilter, UnshreddedFilter } from './messages.js';
import { nameOf, versionOf } from './names.js';

/** Newest first by the time of opening, then by order of the log. */
export function findTasks(
  db: DatabaseSync,
  filter: TaskListFilter,
  before: Place | undefined,
  limit: number,
): FoundTasks {
  const { host, status, atMs } = filter;
  const conditions = new Conditions();
  if (host !== undefined) {
    const id = nameOf(db, host);
    if (id === undefined) return { taskIds: [] };
    conditions.add('t.host = ?', id);
  }
  if (status === 'closed') conditions.add('t.closed_ms IS NOT NULL');
  if (status === 'open') conditions.add('t.closed_ms IS NULL AND t.expires_ms > ?', atMs);
  if (status === 'expired') conditions.add('t.closed_ms IS NULL AND t.expires_ms <= ?', atMs);
  if (before !== undefined) conditions.add('(t.opened_ms, t.task) < (?, ?)', before.timeMs, before.seq);
  const rows = db
    .prepare(
      `SELECT n.name, t.opened_ms, t.task FROM tasks t JOIN names n ON n.id = t.task
       WHERE ${conditions.text()} ORDER BY t.opened_ms DESC, t.task DESC LIMIT ?`,
    )
    .all(...conditions.values, limit + 1);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const taskIds = page.map((row) => String(row['name']));
  return rows.length > limit && last !== undefined
    ? { taskIds, next: { timeMs: Number(last['opened_ms']), seq: Number(last['task']) } }
    : { taskIds };
}

/** When each of these tasks was tainted. */
export function findTaints(db: DatabaseSync, taskIds: readonly string[]): (Instant | undefined)[] {
  const find = db.prepare('SELECT t.tainted_ms FROM tasks t JOIN names n ON n.id = t.task WHERE n.name = ?');
  return taskIds.map((taskId) => {
    const ms = find.get(taskId)?.['tainted_ms'];
    return typeof ms === 'number' ? toInstant(ms) : undefined;
  });
}

/** Tasks that were not shredded, those that ended first before the others. */
export function findUnshredded(db: DatabaseSync, { wanted, limit }: UnshreddedFilter): string[] {
  const rows =
    'users' in wanted
      ? db.prepare(`SELECT n.name ${UNSHREDDED_OF} LIMIT ?`).all(JSON.stringify(wanted.users), limit)
      : db
          .prepare(
            `SELECT n.name FROM tasks t JOIN names n ON n.id = t.task
             WHERE t.shredded_ms IS NULL AND coalesce(t.closed_ms, t.expires_ms) < ?
             ORDER BY coalesce(t.closed_ms, t.expires_ms), t.task LIMIT ?`,
          )
          .all(wanted.endedBeforeMs, limit);
  return rows.map((row) => String(row['name']));
}

/** The number of tasks of users that were not shredded. */
export function countUnshredded(db: DatabaseSync, users: readonly string[]): number {
  return Number(db.prepare(`SELECT count(*) AS count ${UNSHREDDED_OF}`).get(JSON.stringify(users))?.['count']);
}

const UNSHREDDED_OF = `
  FROM json_each(?) wanted JOIN names u ON u.name = wanted.value
  CROSS JOIN tasks t ON t.user = u.id JOIN names n ON n.id = t.task WHERE t.shredded_ms IS NULL`;

/** Whether a host has a task that pins a version and is open at a time. */
export function isPinned(db: DatabaseSync, asked: Extract<IndexRequest, { kind: 'pinned' }>): boolean {
  const host = nameOf(db, asked.host);
  const version = versionOf(db, asked.capability, asked.version);
  if (host === undefined || version === undefined) return false;
  const found = db
    .prepare(
      `SELECT 1 FROM pins p JOIN tasks t ON t.task = p.task
       WHERE p.version = ? AND p.host = ? AND p.expires_ms > ? AND t.opened_ms <= ?
         AND (t.closed_ms IS NULL OR t.closed_ms > ?) LIMIT 1`,
    )
    .get(version, host, asked.atMs, asked.atMs, asked.atMs);
  return found !== undefined;
}

/** The number of matching tasks that are open at a time. */
export function countOpenTasks(
  db: DatabaseSync,
  { versions, hosts, task, atMs }: Extract<IndexRequest, { kind: 'open_tasks' }>,
): number {
  const one = task === undefined ? undefined : nameOf(db, task);
  if (task !== undefined && one === undefined) return 0;
  // Each version with each host is one seek in the key of `pins`, however many tasks have expired.
  const row = db
    .prepare(
      `SELECT count(DISTINCT p.task) AS count
       FROM json_each(?) wanted JOIN names n ON n.name = wanted.value ->> 'capability'
       JOIN versions v ON v.version = wanted.value ->> 'version' AND v.capability = n.id
       CROSS JOIN json_each(?) asked JOIN names h ON h.name = asked.value
       CROSS JOIN pins p ON p.version = v.id AND p.host = h.id AND p.expires_ms > ?
       JOIN tasks t ON t.task = p.task
       WHERE t.opened_ms <= ? AND (t.closed_ms IS NULL OR t.closed_ms > ?) AND (? IS NULL OR p.task = ?)`,
    )
    .get(JSON.stringify(versions), JSON.stringify(hosts), atMs, atMs, atMs, one ?? null, one ?? null);
  return Number(row?.['count'] ?? 0);
}
