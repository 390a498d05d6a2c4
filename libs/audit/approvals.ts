import { approvalStatus, type Approval } from '../calls/approvals.js';
import type { ApprovalQuery, ApprovalView } from '../contract/approvals.js';
import type { DamagedEvent } from '../contract/evidence.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import { DamagedEvidence, type LogReading, type RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { toMs, type Instant } from '../kernel/time.js';
import type { KeyReading } from '../payloads/keyring.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { families } from '../streams/catalogue.js';
import { taskStatus } from '../task/decider.js';
import { AskedContents, type AskedContent } from './asked-contents.js';
import { cursorOf, placeIn } from './cursor.js';
import type { DirectiveHistory } from './directive-history.js';
import { eventsAt } from './events-at.js';
import { History } from './history.js';
import type { ApprovalReference } from './index/messages.js';
import type { IndexReading } from './index/reading.js';
import { isWhole, readOnce } from './soundness.js';
import { damagedEvent } from './stored-event.js';
import { taskStateOf } from './traced-tasks.js';
import { recordedUser, rememberedUsers, resolvedUser, type Users } from './users.js';

/** An approval, or its place if the log cannot show it. */
export type ListedApproval = ApprovalView | DamagedEvent;

/** Conditions on approvals, and whether the content of their calls is shown. */
export interface ApprovalsAsked extends ApprovalQuery {
  readonly id?: string | undefined;
  readonly shows: 'content' | 'facts';
}

/** Characters of the JSON of one page with content. A page has one approval at least. */
const MAX_CHARS = 16_777_216;

/** The readers of one request. */
interface Sources {
  readonly contents: AskedContents | undefined;
  readonly history: History;
  readonly users: Users;
  readonly now: Instant;
}

/** Finds approvals of any task. */
export class ApprovalAudit {
  constructor(
    private readonly log: LogReading,
    private readonly index: IndexReading,
    private readonly keys: KeyReading,
    private readonly engines: DecisionEngines,
    private readonly directives: DirectiveHistory,
    private readonly maxChars = MAX_CHARS,
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
    const { log, keys, engines } = this;
    const history = new History(log, this.directives);
    const contents = shows === 'content' ? new AskedContents({ log, keys, engines, history }) : undefined;
    const sources = { contents, history, users: rememberedUsers(keys), now };
    const items: ListedApproval[] = [];
    let [chars, end] = [0, before.value];
    for (const reference of approvals) {
      const item = await this.itemOf(reference, sources);
      if (contents !== undefined) chars += JSON.stringify(item).length;
      if (chars > this.maxChars && items.length > 0) return ok(defined({ items, next: end && cursorOf(end) }));
      items.push(item);
      end = reference.place;
    }
    return ok({ items, ...(next && { next: cursorOf(next) }) });
  }

  private async itemOf(
    { taskId, requested, decided, used }: ApprovalReference,
    { contents, history, users, now }: Sources,
  ): Promise<ListedApproval> {
    const stream = families.calls.stream(taskId);
    const revisions = [requested, requested + 1, ...(decided === undefined ? [] : [decided])];
    const found = await eventsAt(
      this.log,
      revisions.map((revision) => ({ stream, revision })),
    );
    const at = (revision: number) => presentIn(found, stream, revision);
    const asked = at(requested);
    const task = taskStateOf(await history.events(families.task.stream(taskId)));
    const request = read(asked);
    if (request?.type !== 'ApprovalRequested' || task === undefined) return damagedEvent(asked);
    const verdict = decided === undefined ? undefined : read(at(decided));
    const approval: Approval = defined({
      requested: request.data,
      requestedAt: request.time,
      decided:
        verdict?.type === 'ApprovalDecided' ? { data: verdict.data, by: verdict.actor, at: verdict.time } : undefined,
      use: used ? { callId: request.data.callId, until: request.time } : undefined,
    });
    const content = await contents?.of(at(requested + 1), taskId);
    const user = await resolvedUser(users, recordedUser(task));
    const { agent, host, traceId } = task;
    return viewOf(approval, {
      now,
      agent,
      host,
      user: user.id,
      traceId,
      taskStatus: taskStatus(task, now),
      ...content,
    });
  }
}

type OfTask = Pick<ApprovalView, 'host' | 'agent' | 'user' | 'traceId' | 'taskStatus'>;

function viewOf(
  approval: Approval,
  { now, ...more }: OfTask & Partial<AskedContent> & { readonly now: Instant },
): ApprovalView {
  const { requested, requestedAt, decided } = approval;
  const { approvalId: id, taskId, callId, capability, version, operation, effects, grade: by, why, rule } = requested;
  return defined({
    id,
    taskId,
    callId,
    ...more,
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
