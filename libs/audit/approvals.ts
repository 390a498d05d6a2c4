import { approvalStatus, type Approval } from '../calls/approvals.js';
import type { ApprovalQuery, ApprovalView } from '../contract/approvals.js';
import type { DamagedEvent } from '../contract/evidence.js';
import type { NoContent } from '../contract/tasks.js';
import { DamagedEvidence, type LogReading, type RecordedEvent } from '../event-log/port.js';
import { isJsonObject, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { toMs, type Instant } from '../kernel/time.js';
import type { KeyReading } from '../payloads/keyring.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { families } from '../streams/catalogue.js';
import { Contents } from './contents.js';
import { cursorOf, placeIn } from './cursor.js';
import { eventsAt } from './events-at.js';
import type { ApprovalReference } from './index/messages.js';
import type { IndexReading } from './index/reading.js';
import { isWhole, readOnce } from './soundness.js';
import { damagedEvent } from './stored-event.js';
import { recordedUser, rememberedUsers, resolvedUser, type Users } from './users.js';

/** An approval, or its place if the log cannot show it. */
export type ListedApproval = ApprovalView | DamagedEvent;

/** Conditions on approvals, and whether their arguments are shown. */
export interface ApprovalsAsked extends ApprovalQuery {
  readonly id?: string | undefined;
  readonly shows: 'arguments' | 'facts';
}

/** Finds approvals of any task. */
export class ApprovalAudit {
  constructor(
    private readonly log: LogReading,
    private readonly index: IndexReading,
    private readonly keys: KeyReading,
  ) {}

  /**
   * A page of approvals, newest first. `next` is the opaque cursor of the following page. Throws `LogUnavailable`,
   * `IndexUnavailable`, `KeyringUnavailable`.
   */
  async find(
    { shows, ...query }: ApprovalsAsked,
    now: Instant,
    limit: number,
    cursor?: string,
  ): Promise<Result<{ items: ListedApproval[]; next?: string }, Refusal>> {
    const before = placeIn(cursor);
    if (!before.ok) return err(before.error);
    const { approvals, next } = await this.index.approvals({ ...query, atMs: toMs(now) }, limit, before.value);
    const contents = shows === 'arguments' ? new Contents(this.log, this.keys) : undefined;
    const users = rememberedUsers(this.keys);
    const items: ListedApproval[] = [];
    for (const reference of approvals) items.push(await this.itemOf(reference, { contents, users, now }));
    return ok({ items, ...(next && { next: cursorOf(next) }) });
  }

  private async itemOf(
    { taskId, requested, decided, used }: ApprovalReference,
    { contents, users, now }: { readonly contents: Contents | undefined; readonly users: Users; readonly now: Instant },
  ): Promise<ListedApproval> {
    const stream = families.calls.stream(taskId);
    const revisions = [requested, requested + 1, ...(decided === undefined ? [] : [decided])];
    const found = await eventsAt(
      this.log,
      revisions.map((revision) => ({ stream, revision })),
    );
    const at = (revision: number) => presentIn(found, stream, revision);
    const [asked, opened] = [at(requested), (await this.log.read(families.task.stream(taskId), 0, 1))[0]];
    const task = opened && read(opened);
    const request = read(asked);
    if (request?.type !== 'ApprovalRequested' || task?.type !== 'TaskOpened') return damagedEvent(asked);
    const verdict = decided === undefined ? undefined : read(at(decided));
    const approval: Approval = defined({
      requested: request.data,
      requestedAt: request.time,
      decided:
        verdict?.type === 'ApprovalDecided' ? { data: verdict.data, by: verdict.actor, at: verdict.time } : undefined,
      use: used ? { callId: request.data.callId, until: request.time } : undefined,
    });
    const user = await resolvedUser(users, recordedUser(task.data));
    const shown = contents && (await argumentsOf(contents, at(requested + 1), taskId));
    return viewOf(approval, {
      now,
      arguments: shown,
      agent: task.data.agent,
      host: task.data.host,
      user: user.id,
      traceId: task.traceId ?? '',
    });
  }
}

type OfTask = Pick<ApprovalView, 'host' | 'agent' | 'user' | 'traceId'>;

function viewOf(
  approval: Approval,
  { now, ...task }: OfTask & { readonly now: Instant; readonly arguments: JsonObject | NoContent | undefined },
): ApprovalView {
  const { requested, requestedAt, decided } = approval;
  const { approvalId: id, taskId, callId, capability, version, operation, effects, grade: by, why, rule } = requested;
  return defined({
    id,
    taskId,
    callId,
    ...task,
    capability,
    version,
    operation,
    effects,
    by,
    why: [...why],
    rule,
    requestedAt,
    expiresAt: requested.expiresAt,
    state: approvalStatus(approval, now),
    decidedBy: decided?.by,
    decidedAt: decided?.at,
    reason: decided?.data.reason,
  });
}

/** The record of the deny has what would have been sent. */
async function argumentsOf(contents: Contents, denied: RecordedEvent, taskId: string): Promise<JsonObject | NoContent> {
  const event = read(denied);
  if (event?.type !== 'CallDecided') return 'damaged';
  const content = await contents.of(denied, taskId, event.data.commitments);
  if (typeof content === 'string') return content;
  const { arguments: shown } = content.parts;
  return isJsonObject(shown) ? shown : 'damaged';
}

/** An event as its family reads it; undefined if it is damaged. */
function read(event: RecordedEvent) {
  const found = isWhole(event) ? readOnce(event) : undefined;
  if (found?.ok !== true) return undefined;
  const { value } = found;
  return families.calls.owns(value) || families.task.owns(value) ? value : undefined;
}

function presentIn(events: ReadonlyMap<string, RecordedEvent>, stream: string, revision: number): RecordedEvent {
  const event = events.get(payloadPlace({ stream, revision }));
  if (event === undefined) throw new DamagedEvidence('the log lacks the event of an approval');
  return event;
}
