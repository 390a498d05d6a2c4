import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type {
  CallFilter,
  FoundCalls,
  FoundTasks,
  IndexRequest,
  Place,
  Reference,
  TaskListFilter,
  UnshreddedFilter,
} from './messages.js';

const STREAM = "iif(c.trace IS NULL, 'calls-' || task.name, 'refusals-' || host.name) AS stream";
const COLUMNS = `c.seq, c.time_ms, CAST(c.position AS TEXT) AS position, c.revision, ${STREAM}`;
const NAMED = 'JOIN names task ON task.id = c.task JOIN names host ON host.id = c.host';

/** Newest first by time, then by order of the log. Empty if a name has never been seen. */
export function findCalls(db: DatabaseSync, filter: CallFilter, before: Place | undefined, limit: number): FoundCalls {
  const names = [filter.identity].flat();
  const rows = merged(names.map((identity) => rowsOf(db, filter, identity, before, limit)));
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const references = page.map(referenceOf);
  return rows.length > limit && last !== undefined
    ? { references, next: { timeMs: Number(last['time_ms']), seq: Number(last['seq']) } }
    : { references };
}

type Row = Readonly<Record<string, unknown>>;

/** The first `limit + 1` calls. For an identity, its own index has the order; else the table of calls. */
function rowsOf(
  db: DatabaseSync,
  filter: CallFilter,
  identity: string | undefined,
  before: Place | undefined,
  limit: number,
): readonly Row[] {
  const conditions = conditionsOf(db, filter);
  const named = identity === undefined ? undefined : nameOf(db, identity);
  if (conditions === undefined || (identity !== undefined && named === undefined)) return [];
  const t = named === undefined ? 'c' : 'i';
  const from = named === undefined ? 'calls c' : 'identities i CROSS JOIN calls c ON c.seq = i.seq';
  if (named !== undefined) conditions.add('i.identity = ?', named);
  if (filter.fromMs !== undefined) conditions.add(`${t}.time_ms >= ?`, filter.fromMs);
  if (filter.toMs !== undefined) conditions.add(`${t}.time_ms <= ?`, filter.toMs);
  if (before !== undefined) conditions.add(`(${t}.time_ms, ${t}.seq) < (?, ?)`, before.timeMs, before.seq);
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM (
         SELECT c.* FROM ${from} WHERE ${conditions.text()} ORDER BY ${t}.time_ms DESC, ${t}.seq DESC LIMIT ?
       ) c ${NAMED} ORDER BY c.time_ms DESC, c.seq DESC`,
    )
    .all(...conditions.values, limit + 1);
}

/** The rows of several names in one order. A call that two of them found is there once. */
function merged(lists: readonly (readonly Row[])[]): readonly Row[] {
  const [only = [], ...others] = lists;
  if (others.length === 0) return only;
  const bySeq = new Map(lists.flat().map((row) => [Number(row['seq']), row] as const));
  return [...bySeq.values()].sort(
    (a, b) => Number(b['time_ms']) - Number(a['time_ms']) || Number(b['seq']) - Number(a['seq']),
  );
}

/** Refused calls of a trace in order of the log. */
export function findRefusals(db: DatabaseSync, traceId: string, limit: number): Reference[] {
  const trace = nameOf(db, traceId);
  if (trace === undefined) return [];
  const rows = db.prepare(`SELECT ${COLUMNS} FROM calls c ${NAMED} WHERE c.trace = ? ORDER BY c.seq LIMIT ?`);
  return rows.all(trace, limit).map(referenceOf);
}

/** The calls with these numbers, in order of the log. */
export function referencesOf(db: DatabaseSync, seqs: readonly number[]): Reference[] {
  const rows = db.prepare(
    `SELECT ${COLUMNS} FROM json_each(?) wanted CROSS JOIN calls c ON c.seq = wanted.value ${NAMED} ORDER BY c.seq`,
  );
  return rows.all(JSON.stringify(seqs)).map(referenceOf);
}

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

class Conditions {
  private readonly texts: string[] = [];
  readonly values: SQLInputValue[] = [];

  add(text: string, ...values: readonly SQLInputValue[]): void {
    this.texts.push(text);
    this.values.push(...values);
  }

  text(): string {
    return this.texts.length === 0 ? 'true' : this.texts.join(' AND ');
  }
}

function conditionsOf(db: DatabaseSync, filter: CallFilter): Conditions | undefined {
  const conditions = new Conditions();
  for (const column of ['capability', 'task', 'host', 'decision', 'reason'] as const) {
    const name = filter[column];
    if (name === undefined) continue;
    const id = nameOf(db, name);
    if (id === undefined) return undefined;
    conditions.add(`c.${column} = ?`, id);
  }
  if (filter.version !== undefined) {
    conditions.add('c.version IN (SELECT id FROM versions WHERE version = ?)', filter.version);
  }
  if (filter.versions !== undefined) {
    // The plus keeps SQLite from collecting the calls of nearly all versions and then sorting them.
    conditions.add(
      `${filter.manyVersions === true ? '+' : ''}c.version IN (
         SELECT v.id FROM json_each(?) wanted JOIN names n ON n.name = wanted.value ->> 'capability'
         JOIN versions v ON v.version = wanted.value ->> 'version' AND v.capability = n.id)`,
      JSON.stringify(filter.versions),
    );
  }
  return conditions;
}

function nameOf(db: DatabaseSync, name: string): number | undefined {
  const row = db.prepare('SELECT id FROM names WHERE name = ?').get(name);
  return row === undefined ? undefined : Number(row['id']);
}

function versionOf(db: DatabaseSync, capability: string, version: string): number | undefined {
  const named = nameOf(db, capability);
  if (named === undefined) return undefined;
  const row = db.prepare('SELECT id FROM versions WHERE version = ? AND capability = ?').get(version, named);
  return row === undefined ? undefined : Number(row['id']);
}

const referenceOf = (row: Readonly<Record<string, unknown>>): Reference => ({
  position: BigInt(row['position'] as string),
  stream: String(row['stream']),
  revision: Number(row['revision']),
});
