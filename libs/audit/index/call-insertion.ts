import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { z } from 'zod';
import { POLICY_SET } from '../../decision/snapshot.js';
import type { Event } from '../../event-log/event.js';
import { toMs } from '../../kernel/time.js';
import { families } from '../../streams/catalogue.js';
import { idBytes } from './call-id.js';
import { remembered, type Names } from './names.js';

/** The members that the index takes from events: ids and codes. Events of another shape are skipped. */
const Decided = z.object({
  callId: z.string(),
  taskId: z.string(),
  attempt: z.int(),
  host: z.string(),
  capability: z.string(),
  version: z.string().optional(),
  operation: z.string(),
  decision: z.string(),
  reason: z.string(),
  basis: z.record(z.string(), z.int()),
  approval: z.string().optional(),
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
const Closed = z.object({ taskId: z.string() });
const Answered = z.object({
  callId: z.string(),
  taskId: z.string(),
  attempt: z.int(),
  verdict: z.string(),
  handling: z.string().optional(),
});
const Released = z.object({ callId: z.string(), taskId: z.string(), attempt: z.int() });
const Ended = z.object({ callId: z.string(), taskId: z.string() });
const OfVersion = z.object({
  capability: z.string(),
  version: z.string(),
  verdict: z.string().optional(),
  host: z.string().optional(),
});
const Asked = z.object({ approvalId: z.string(), taskId: z.string(), capability: z.string(), expiresAt: z.string() });
const Judged = z.object({ approvalId: z.string(), verdict: z.string() });
const Reviewed = z.object({ set: z.string(), policyVersion: z.int(), verdict: z.string() });

const POLICY_STREAM = families.policy.stream(POLICY_SET);

/** Adds calls, tasks, and the status of versions and policies. */
export class CallInsertion {
  private readonly sql: ReturnType<typeof statementsOf>;
  /** The user and the agent of a task, by its number. */
  private readonly owners = new Map<number, readonly [number, number]>();
  /** The version of the policies that is in force, by the revision of their stream. */
  private readonly policies = new Map<number, number | null>();

  constructor(
    db: DatabaseSync,
    private readonly names: Names,
  ) {
    this.sql = statementsOf(db);
  }

  forget(): void {
    this.owners.clear();
    this.policies.clear();
  }

  add(event: Event, position: bigint): void {
    switch (event.type) {
      case 'CallDecided':
      case 'CallRefused':
        return this.addCall(event, position, event.type === 'CallRefused');
      case 'ResponseValidated':
        return this.addResponse(event);
      case 'ResponseReleased':
        return this.addRelease(event);
      case 'OutcomeRecorded':
        return this.addOutcome(event);
      case 'ApprovalRequested':
        return this.addApproval(event);
      case 'ApprovalDecided':
        return this.decideApproval(event);
      case 'TaskOpened':
        return this.addTask(event);
      case 'TaskClosed':
        return this.endTask(event, this.sql.closeTask);
      case 'TaskShredded':
        return this.endTask(event, this.sql.shredTask);
      case 'PolicyReviewed':
        return this.addPolicy(event);
      case 'VersionProposed':
        return this.setStatus(event, () => 'pending');
      case 'VersionReviewed':
        return this.setStatus(event, ({ verdict }) => verdict);
      case 'VersionSuspended':
        // A suspension for one host leaves the version approved for all others.
        return this.setStatus(event, ({ host }) => (host === undefined ? 'suspended' : undefined));
      case 'VersionReinstated':
        return this.setStatus(event, () => 'approved');
      case 'VersionRevoked':
        return this.setStatus(event, () => 'revoked');
    }
  }

  private addCall(event: Event, position: bigint, refused: boolean): void {
    const parsed = Decided.safeParse(event.data);
    if (!parsed.success) return;
    const { callId, taskId, attempt, host, capability, version, operation, decision, reason, basis, approval } =
      parsed.data;
    const { names } = this;
    const timeMs = toMs(event.time);
    const task = names.of(taskId);
    // A refused call names a task of another host, so the user of that task is not involved.
    const [user, agent] = refused ? [null, null] : this.ownersOf(task);
    const added = this.sql.addCall.run(
      position,
      event.revision,
      timeMs,
      idBytes(callId),
      attempt,
      task,
      names.of(host),
      names.of(event.traceId ?? ''),
      refused ? 1 : 0,
      names.of(capability),
      version === undefined ? null : names.version(capability, version),
      names.of(operation),
      names.of(decision),
      names.of(reason),
      user,
      agent,
      this.policyAt(basis[POLICY_STREAM]),
    );
    if (approval !== undefined && decision === 'allow') this.sql.useApproval.run(idBytes(approval));
    const identities = new Set([names.of(host), names.of(event.actor), user, agent]);
    for (const identity of identities) {
      if (identity !== null) this.sql.addIdentity.run(identity, timeMs, Number(added.lastInsertRowid));
    }
  }

  private addApproval(event: Event): void {
    const parsed = Asked.safeParse(event.data);
    if (!parsed.success) return;
    const { approvalId, taskId, capability, expiresAt } = parsed.data;
    const { names } = this;
    const times = [toMs(event.time), toMs(expiresAt)] as const;
    this.sql.addApproval.run(idBytes(approvalId), ...times, names.of(taskId), names.of(capability), event.revision);
  }

  private decideApproval(event: Event): void {
    const parsed = Judged.safeParse(event.data);
    if (!parsed.success) return;
    const { approvalId, verdict } = parsed.data;
    this.sql.decideApproval.run(this.names.of(verdict), event.revision, idBytes(approvalId));
  }

  private addResponse(event: Event): void {
    const parsed = Answered.safeParse(event.data);
    if (!parsed.success) return;
    const { callId, taskId, attempt, verdict, handling } = parsed.data;
    const held = verdict === 'quarantined' && handling === 'hold' ? 1 : null;
    if (handling !== undefined) this.sql.taint.run(toMs(event.time), this.names.of(taskId));
    this.sql.addResponse.run(event.revision, held, idBytes(callId), this.names.of(taskId), attempt);
  }

  private addRelease(event: Event): void {
    const parsed = Released.safeParse(event.data);
    if (!parsed.success) return;
    const { callId, taskId, attempt } = parsed.data;
    this.sql.addRelease.run(event.revision, idBytes(callId), this.names.of(taskId), attempt);
  }

  /** An outcome belongs to the latest attempt that was allowed before it. */
  private addOutcome(event: Event): void {
    const parsed = Ended.safeParse(event.data);
    if (!parsed.success) return;
    const { callId, taskId } = parsed.data;
    this.sql.addOutcome.run(event.revision, idBytes(callId), this.names.of(taskId), this.names.of('allow'));
  }

  private addTask(event: Event): void {
    const parsed = Opened.safeParse(event.data);
    if (!parsed.success) return;
    const { taskId, host, agent, user, pins, expiresAt } = parsed.data;
    const { names } = this;
    const task = names.of(taskId);
    const expiresMs = toMs(expiresAt);
    this.sql.addTask.run(task, names.of(host), names.of(user.id), names.of(agent), toMs(event.time), expiresMs);
    for (const { capability, version } of pins) {
      this.sql.addPin.run(names.version(capability, version), names.of(host), expiresMs, task);
    }
  }

  private endTask(event: Event, statement: StatementSync): void {
    const ended = Closed.safeParse(event.data);
    if (ended.success) statement.run(toMs(event.time), this.names.of(ended.data.taskId));
  }

  private addPolicy(event: Event): void {
    const reviewed = Reviewed.safeParse(event.data);
    if (!reviewed.success || reviewed.data.set !== POLICY_SET || reviewed.data.verdict !== 'approved') return;
    this.sql.addPolicy.run(event.revision, reviewed.data.policyVersion);
    this.policies.clear();
  }

  /** The version that was in force at a revision of the stream of policies: the one that was approved last. */
  private policyAt(revision: number | undefined): number | null {
    if (revision === undefined) return null;
    return remembered(this.policies, revision, () => {
      const row = this.sql.policy.get(revision);
      return row === undefined ? null : Number(row['active']);
    });
  }

  private setStatus(event: Event, statusOf: (data: z.infer<typeof OfVersion>) => string | undefined): void {
    const parsed = OfVersion.safeParse(event.data);
    if (!parsed.success) return;
    const { capability, version } = parsed.data;
    const status = statusOf(parsed.data);
    if (status !== undefined) this.sql.setStatus.run(status, this.names.version(capability, version));
  }

  private ownersOf(task: number): readonly [number | null, number | null] {
    const known = this.owners.get(task);
    if (known !== undefined) return known;
    const row = this.sql.task.get(task);
    if (row === undefined) return [null, null];
    return remembered(this.owners, task, () => [Number(row['user']), Number(row['agent'])] as const);
  }
}

const statementsOf = (db: DatabaseSync) => ({
  task: db.prepare('SELECT user, agent FROM tasks WHERE task = ?'),
  addTask: db.prepare(
    'INSERT OR IGNORE INTO tasks (task, host, user, agent, opened_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)',
  ),
  taint: db.prepare('UPDATE tasks SET tainted_ms = ? WHERE task = ? AND tainted_ms IS NULL'),
  closeTask: db.prepare('UPDATE tasks SET closed_ms = ? WHERE task = ?'),
  shredTask: db.prepare('UPDATE tasks SET shredded_ms = ? WHERE task = ?'),
  addPin: db.prepare('INSERT OR IGNORE INTO pins (version, host, expires_ms, task) VALUES (?, ?, ?, ?)'),
  addPolicy: db.prepare('INSERT OR REPLACE INTO policies (revision, active) VALUES (?, ?)'),
  policy: db.prepare('SELECT active FROM policies WHERE revision <= ? ORDER BY revision DESC LIMIT 1'),
  setStatus: db.prepare('UPDATE versions SET status = ? WHERE id = ?'),
  addCall: db.prepare(
    `INSERT INTO calls (position, revision, time_ms, call, attempt, task, host, trace, refused, capability, version,
       operation, decision, reason, user, agent, policy)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  addApproval: db.prepare(
    'INSERT OR IGNORE INTO approvals (approval, time_ms, expires_ms, task, capability, revision) VALUES (?, ?, ?, ?, ?, ?)',
  ),
  decideApproval: db.prepare('UPDATE approvals SET verdict = ?, decided = ? WHERE approval = ?'),
  useApproval: db.prepare('UPDATE approvals SET used = 1 WHERE approval = ?'),
  addResponse: db.prepare(
    'UPDATE calls SET response = ?, held = ? WHERE call = ? AND task = ? AND attempt = ? AND refused = 0',
  ),
  addRelease: db.prepare(
    'UPDATE calls SET released = ?, held = NULL WHERE call = ? AND task = ? AND attempt = ? AND refused = 0',
  ),
  addOutcome: db.prepare(
    `UPDATE calls SET outcome = ? WHERE seq = (
       SELECT seq FROM calls WHERE call = ? AND task = ? AND decision = ? AND refused = 0 ORDER BY seq DESC LIMIT 1)`,
  ),
  addIdentity: db.prepare('INSERT OR IGNORE INTO identities (identity, time_ms, seq) VALUES (?, ?, ?)'),
});
