import { z } from 'zod';
import type { Decider } from '../kernel/decider.js';
import { isJsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { DigestText, InstantText, Label, NameId, Reason, TraceId, Uuid, VersionId } from '../vocabulary/ids.js';
import { ApprovalGrade, Effect, ReasonCode } from '../vocabulary/words.js';
import { ScopeEntry } from './scope.js';

export const Pin = z.strictObject({ capability: NameId, version: VersionId, definitionDigest: DigestText });
export type Pin = z.infer<typeof Pin>;

export const Unresolved = z.strictObject({ capability: NameId, reason: ReasonCode });
export type Unresolved = z.infer<typeof Unresolved>;

/** Calls with one of these effects need an approval, even if no policy asks for one. */
export const ApproveRule = z.strictObject({ effects: z.array(Effect).min(1), by: ApprovalGrade });
export type ApproveRule = z.infer<typeof ApproveRule>;

export const TaskStatus = z.enum(['open', 'closed', 'expired']);
export type TaskStatus = z.infer<typeof TaskStatus>;

/**
 * Facts of stream `task-<id>`. Purpose, user attributes and the user's id are content, kept in the event's payload
 * record; `commitments` binds the event to them. `user` is the host's word, as `attestedBy` says.
 */
export const TaskOpened = z.strictObject({
  taskId: Uuid,
  host: NameId,
  agent: Label,
  /** `id` is a pseudonym (`libs/payloads/pseudonym.ts`). In version 1 it was the id itself. */
  user: z.strictObject({ id: Label, roles: z.array(Label), attestedBy: NameId }),
  scope: z.array(ScopeEntry),
  /** Absent before version 3. */
  approve: ApproveRule.optional(),
  pins: z.array(Pin),
  unresolved: z.array(Unresolved),
  expiresAt: InstantText,
  epoch: z.int().min(0),
  /** `user` commits to the id of the user. Absent in version 1. */
  commitments: z.strictObject({ purpose: DigestText, attributes: DigestText, user: DigestText.optional() }),
  /** SHA-256 of the task's key, which tells a replaced key. Absent in version 1. */
  keyDigest: DigestText.optional(),
  requestDigest: DigestText,
});
/** An allow used up one of the distinct calls that scope entry `entry` (an index) grants. */
export const CallCounted = z.strictObject({ taskId: Uuid, entry: z.int().min(0), callId: Uuid });
/** The reason is the host's own words: content, in the event's payload record. */
export const TaskClosed = z.strictObject({
  taskId: Uuid,
  commitments: z.strictObject({ reason: DigestText }).optional(),
});
/** Version 1 held the reason in the clear. */
export const taskClosedFromV1 = (data: unknown): unknown => {
  if (!isJsonObject(data)) return data;
  const { reason: _, ...rest } = data;
  return rest;
};
/** Why content was shredded: by its task, because of its age, or with everything of its user. */
export const ShredCause = z.enum(['task', 'age', 'user']);
export type ShredCause = z.infer<typeof ShredCause>;

/**
 * The content of the task is to be read by nobody from now on: its key is destroyed after this event. It is the last
 * event of the stream. The reason is written to be read by auditors, so it stays in the event.
 */
export const TaskShredded = z.strictObject({ taskId: Uuid, cause: ShredCause, reason: Reason.optional() });
/** Fact of stream `trace-<traceId>`: a trace is its tasks. */
export const TaskJoined = z.strictObject({ taskId: Uuid, host: NameId });
export const taskEventSchemas = { TaskOpened, CallCounted, TaskClosed, TaskShredded } as const;
export const traceEventSchemas = { TaskJoined } as const;

export type TaskEvent = { readonly actor: string; readonly time: Instant; readonly traceId?: string | undefined } & (
  | { readonly type: 'TaskOpened'; readonly data: z.infer<typeof TaskOpened> }
  | { readonly type: 'CallCounted'; readonly data: z.infer<typeof CallCounted> }
  | { readonly type: 'TaskClosed'; readonly data: z.infer<typeof TaskClosed> }
  | { readonly type: 'TaskShredded'; readonly data: z.infer<typeof TaskShredded> }
);

export interface TaskState extends Omit<z.infer<typeof TaskOpened>, 'pins'> {
  readonly traceId: z.infer<typeof TraceId>;
  readonly openedAt: Instant;
  readonly pins: ReadonlyMap<string, Pin>;
  /** Ids of the calls that each scope entry has allowed, by its index. */
  readonly counted: Map<number, Set<string>>;
  closed: boolean;
  /** Its content was erased. No event follows. */
  shredded: boolean;
}

export type TaskCommand = { readonly actor: string; readonly time: Instant } & (
  | { readonly type: 'open'; readonly opened: z.infer<typeof TaskOpened>; readonly traceId: string }
  | { readonly type: 'count'; readonly entry: number; readonly callId: string }
  | { readonly type: 'close'; readonly commitments?: z.infer<typeof TaskClosed>['commitments'] }
  /** Ends an open task first. */
  | { readonly type: 'shred'; readonly cause: ShredCause; readonly reason?: string | undefined }
);

export const taskDecider: Decider<TaskState | undefined, TaskCommand, TaskEvent, Refusal> = {
  initialState: () => undefined,
  decide(command, state) {
    const { actor, time } = command;
    if (command.type === 'open') {
      if (state === undefined)
        return ok([{ type: 'TaskOpened', data: command.opened, actor, time, traceId: command.traceId }]);
      return state.requestDigest === command.opened.requestDigest
        ? ok([])
        : err(refusal('already_exists', 'another task has this id'));
    }
    if (state === undefined) return err(refusal('not_found', 'no such task'));
    const { taskId, traceId } = state;
    if (command.type === 'count') {
      if (state.counted.get(command.entry)?.has(command.callId) === true) return ok([]);
      const data = { taskId, entry: command.entry, callId: command.callId };
      return ok([{ type: 'CallCounted', data, actor, time, traceId }]);
    }
    if (state.shredded) return ok([]);
    const by = { actor, time, traceId };
    if (command.type === 'shred') {
      const data = defined({ taskId, cause: command.cause, reason: command.reason });
      const isOpen = taskStatus(state, time) === 'open';
      const closing: TaskEvent[] = isOpen ? [{ type: 'TaskClosed', data: { taskId }, ...by }] : [];
      return ok([...closing, { type: 'TaskShredded', data, ...by }]);
    }
    if (state.closed) return ok([]);
    return ok([{ type: 'TaskClosed', data: defined({ taskId, commitments: command.commitments }), ...by }]);
  },
  evolve(state, event) {
    if (event.type === 'TaskOpened') {
      const pins = new Map(event.data.pins.map((pin) => [pin.capability, pin]));
      const traceId = event.traceId ?? '';
      return { ...event.data, pins, traceId, openedAt: event.time, counted: new Map(), closed: false, shredded: false };
    }
    if (state === undefined) throw new Error(`${event.type} before TaskOpened`);
    if (event.type === 'TaskClosed' || event.type === 'TaskShredded') {
      if (event.type === 'TaskClosed') state.closed = true;
      else state.shredded = true;
      return state;
    }
    const { entry, callId } = event.data;
    const counted = state.counted.get(entry) ?? new Set<string>();
    state.counted.set(entry, counted.add(callId));
    return state;
  },
};

/** A task ends by being closed, or by the clock of the decision. */
export function taskStatus(task: TaskState, at: Instant): TaskStatus {
  if (task.closed) return 'closed';
  return at >= task.expiresAt ? 'expired' : 'open';
}
