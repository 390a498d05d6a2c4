import type { DatabaseSync } from 'node:sqlite';
import { defined } from '../../kernel/defined.js';
import type { ApprovalStatus } from '../../vocabulary/words.js';
import { idBytes } from './call-id.js';
import { Conditions } from './conditions.js';
import type { ApprovalFilter, ApprovalReference, FoundApprovals, Place } from './messages.js';
import { nameOf } from './names.js';

/** Newest first by the time of the request, then by order of the log. Empty if a name has never been seen. */
export function findApprovals(db: DatabaseSync, filter: ApprovalFilter, limit: number, before?: Place): FoundApprovals {
  const conditions = conditionsOf(db, filter);
  if (conditions === undefined) return { approvals: [] };
  if (before !== undefined) conditions.add('(a.time_ms, a.seq) < (?, ?)', before.timeMs, before.seq);
  const rows = db
    .prepare(
      `SELECT t.name AS task, a.time_ms, a.seq, a.revision, a.decided, a.used FROM approvals a JOIN names t ON t.id = a.task
       WHERE ${conditions.text()} ORDER BY a.time_ms DESC, a.seq DESC LIMIT ?`,
    )
    .all(...conditions.values, limit + 1);
  const page = rows.slice(0, limit);
  const approvals = page.map(referenceOf);
  const last = approvals.at(-1);
  return rows.length > limit && last !== undefined ? { approvals, next: last.place } : { approvals };
}

function conditionsOf(db: DatabaseSync, { id, task, capability, state, atMs }: ApprovalFilter): Conditions | undefined {
  const conditions = new Conditions();
  if (id !== undefined) conditions.add('a.approval = ?', idBytes(id));
  for (const [column, name] of [
    ['a.task', task],
    ['a.capability', capability],
  ] as const) {
    if (name === undefined) continue;
    const known = nameOf(db, name);
    if (known === undefined) return undefined;
    conditions.add(`${column} = ?`, known);
  }
  if (state !== undefined) addState(conditions, db, state, atMs);
  return conditions;
}

/** The states as `approvalStatus` gives them. */
function addState(conditions: Conditions, db: DatabaseSync, state: ApprovalStatus, atMs: number): void {
  conditions.add('a.used = ?', state === 'used' ? 1 : 0);
  if (state === 'used') return;
  const verdictOf = (verdict: string) => nameOf(db, verdict) ?? NO_NAME;
  if (state === 'pending') conditions.add('a.verdict IS NULL');
  else if (state === 'expired') conditions.add('(a.verdict IS NULL OR a.verdict = ?)', verdictOf('granted'));
  else conditions.add('a.verdict = ?', verdictOf(state));
  if (state !== 'denied') conditions.add(state === 'expired' ? 'a.expires_ms <= ?' : 'a.expires_ms > ?', atMs);
}

/** No name has this id. */
const NO_NAME = -1;

const referenceOf = (row: Readonly<Record<string, unknown>>): ApprovalReference =>
  defined({
    taskId: String(row['task']),
    requested: Number(row['revision']),
    decided: row['decided'] === null ? undefined : Number(row['decided']),
    used: row['used'] === 1,
    place: { timeMs: Number(row['time_ms']), seq: Number(row['seq']) },
  });
