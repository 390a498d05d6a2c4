import type { DatabaseSync } from 'node:sqlite';
import { findApprovals } from './approval-queries.js';
import { findBlocks } from './blocks.js';
import { idBytes } from './call-id.js';
import { Conditions } from './conditions.js';
import { drawCalls } from './draw.js';
import type { CallFilter, FoundCalls, Place } from './messages.js';
import { nameOf } from './names.js';
import type { IndexQueries } from './reading.js';
import { COLUMNS, NAMED, referenceOf, references } from './references.js';
import { findTaints, findTasks } from './task-queries.js';

type Answering = { readonly [Name in keyof IndexQueries]: (db: DatabaseSync, ...asked: never[]) => unknown };

const QUERIES: Answering = {
  calls: (db, filter: CallFilter, limit: number, before?: Place) => findCalls(db, filter, before, limit),
  attempts: (db, callId: string) => references(db, 'c.call = ? ORDER BY c.seq LIMIT ?', idBytes(callId), MAX_ATTEMPTS),
  refusals(db, traceId: string, after: bigint, limit: number) {
    const trace = nameOf(db, traceId);
    if (trace === undefined) return [];
    return references(
      db,
      'c.trace = ? AND c.refused = 1 AND c.position > ? ORDER BY c.seq LIMIT ?',
      trace,
      after,
      limit,
    );
  },
  draw: (db, seed: string, count: number, asOf: bigint) => drawCalls(db, { seed, count, asOf }),
  drifted(db, traceId: string) {
    const rows = db.prepare(
      `SELECT DISTINCT capability.name FROM calls c JOIN names capability ON capability.id = c.capability
       JOIN names trace ON trace.id = c.trace JOIN names reason ON reason.id = c.reason
       WHERE trace.name = ? AND reason.name = 'definition_drifted'`,
    );
    return rows.all(traceId).map((row) => String(row['name']));
  },
  ends(db, streams: readonly string[]) {
    const find = db.prepare('SELECT CAST(last AS TEXT) AS last FROM streams WHERE stream = ?');
    return streams.map((stream) => BigInt((find.get(stream)?.['last'] as string | undefined) ?? 0));
  },
  tasks: findTasksOf,
  approvals: findApprovals,
  taints: findTaints,
  blocks: findBlocks,
};

/** Attempts at one call that are answered at most. */
const MAX_ATTEMPTS = 10_000;

/** Answers a query of `IndexQueries`. */
export function queryOf(db: DatabaseSync, name: string, asked: readonly unknown[]): unknown {
  return QUERIES[name as keyof IndexQueries](db, ...(asked as never[]));
}

function findTasksOf(db: DatabaseSync, ...[filter, limit, before]: Parameters<IndexQueries['tasks']>) {
  return findTasks(db, filter, before, limit);
}

/** Newest first by time, then by order of the log. Empty if a name has never been seen. */
function findCalls(db: DatabaseSync, filter: CallFilter, before: Place | undefined, limit: number): FoundCalls {
  const rows = merged(variantsOf(filter).map((one) => rowsOf(db, one, before, limit)));
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const found = page.map(referenceOf);
  return rows.length > limit && last !== undefined
    ? { references: found, next: { timeMs: Number(last['time_ms']), seq: Number(last['seq']) } }
    : { references: found };
}

type Row = Readonly<Record<string, unknown>>;
/** A filter with one name for each person. */
type OneFilter = CallFilter & { readonly identity?: string | undefined; readonly user?: string | undefined };

/** A person may have several names in events. */
function variantsOf({ identity, user, ...others }: CallFilter): OneFilter[] {
  return [identity].flat().flatMap((one) => [user].flat().map((other) => ({ ...others, identity: one, user: other })));
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

/** The first `limit + 1` calls. */
function rowsOf(db: DatabaseSync, filter: OneFilter, before: Place | undefined, limit: number): readonly Row[] {
  const conditions = conditionsOf(db, filter);
  if (conditions === undefined) return [];
  // The table that gives the order: for an identity, its own index has the same order.
  const { identity } = conditions;
  const t = identity === undefined ? 'c' : 'i';
  const from = identity === undefined ? 'calls c' : 'identities i CROSS JOIN calls c ON c.seq = i.seq';
  if (identity !== undefined) conditions.add('i.identity = ?', identity);
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

class CallConditions extends Conditions {
  /** The name whose own index gives the order. */
  identity: number | undefined;
  private drives = true;

  /** Only the first of them may choose the index, because it is the rarest. A plus keeps SQLite from taking another. */
  equal(column: string, value: number | Uint8Array): void {
    this.add(`${this.drives ? '' : '+'}${column} = ?`, value);
    this.drives = false;
  }

  /** The calls of one identity are read in the order of its own index. */
  by(identity: number): void {
    if (!this.drives) return;
    this.identity = identity;
    this.drives = false;
  }
}

/** From the rarest condition to the most common one. Undefined if a name has never been seen. */
function conditionsOf(db: DatabaseSync, filter: OneFilter): CallConditions | undefined {
  const conditions = new CallConditions();
  const ids = idsOf(db, filter);
  if (ids === undefined) return undefined;
  const named = (...columns: (keyof typeof ids)[]) => {
    for (const column of columns) {
      const id = ids[column];
      if (id !== undefined) conditions.equal(`c.${column}`, id);
    }
  };
  if (filter.call !== undefined) conditions.equal('c.call', idBytes(filter.call));
  if (filter.held === 'held') conditions.add('c.held = 1');
  if (filter.held === 'released') conditions.add('c.released IS NOT NULL');
  named('task', 'trace');
  for (const column of ['user', 'agent'] as const) {
    const id = ids[column];
    if (id === undefined) continue;
    conditions.by(id);
    conditions.add(`+c.${column} = ?`, id);
  }
  if (ids.identity !== undefined) {
    conditions.by(ids.identity);
    if (conditions.identity !== ids.identity) {
      const isOne =
        'EXISTS (SELECT 1 FROM identities o WHERE o.identity = ? AND o.time_ms = c.time_ms AND o.seq = c.seq)';
      conditions.add(isOne, ids.identity);
    }
  }
  named('reason', 'operation');
  if (filter.version !== undefined)
    conditions.add('c.version IN (SELECT id FROM versions WHERE version = ?)', filter.version);
  if (filter.reviewStatus !== undefined) {
    // Most versions are approved. The plus keeps SQLite from collecting and sorting the calls of nearly all versions.
    const plus = filter.reviewStatus === 'approved' ? '+' : '';
    conditions.add(`${plus}c.version IN (SELECT id FROM versions WHERE status = ?)`, filter.reviewStatus);
  }
  named('capability', 'host');
  if (filter.policyVersion !== undefined) conditions.equal('c.policy', filter.policyVersion);
  named('decision');
  return conditions;
}

const NAMES = [
  'task',
  'trace',
  'user',
  'agent',
  'identity',
  'reason',
  'operation',
  'capability',
  'host',
  'decision',
] as const;

function idsOf(db: DatabaseSync, filter: OneFilter): { [Column in (typeof NAMES)[number]]?: number } | undefined {
  const ids: { [Column in (typeof NAMES)[number]]?: number } = {};
  for (const column of NAMES) {
    const name = filter[column];
    if (name === undefined) continue;
    const id = nameOf(db, name);
    if (id === undefined) return undefined;
    ids[column] = id;
  }
  return ids;
}
