import type { DamagedTask, TracedTask } from '../contract/evidence.js';
import { parseEvent } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import { isJsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Instant } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import type { TaskState } from '../task/decider.js';
import type { Archives } from './archives.js';
import type { IndexReading } from './index/reading.js';
import type { Contents } from './contents.js';
import { soundPrefix } from './soundness.js';
import { damagedEvent } from './stored-event.js';
import { taskView } from './task-view.js';
import { recordedUser, resolvedUser, type Users } from './users.js';

interface TaskSources {
  readonly contents: Contents;
  readonly archives: Archives;
  readonly users: Users;
  readonly index: Pick<IndexReading, 'taints'>;
}

/** A task with its content, as of its last given event; its place if one of the events is damaged. */
export async function tracedTask(
  { contents, archives, users, index }: TaskSources,
  taskId: string,
  events: readonly RecordedEvent[],
  now: Instant,
): Promise<TracedTask | DamagedTask | undefined> {
  const [opened] = events;
  const state = taskStateOf(events);
  if (opened === undefined) return undefined;
  if (state === undefined) return damagedTask(taskId, events);
  const { id: userId } = await resolvedUser(users, recordedUser(state));
  const content = await contents.ofTask(opened, taskId);
  const archived = typeof content === 'string' ? await archives.of(taskId) : undefined;
  const isMoved = content === 'damaged' && archived !== undefined;
  const [taintedAt] = await index.taints([taskId]);
  const known = { position: opened.position, userId, taintedAt };
  const view = taskView(state, isMoved ? 'archived' : content, now, known);
  const reason = await closeReasonOf(contents, taskId, events);
  return { ...view, ...defined({ closeReason: isMoved && reason !== undefined ? 'archived' : reason, archived }) };
}

/** A task whose state cannot be read: the place of the first event that is damaged, missing or impossible. */
export function damagedTask(taskId: string, events: readonly RecordedEvent[]): DamagedTask | undefined {
  const broken = events[soundPrefix(families.task.stream(taskId), events)] ?? events.at(-1);
  return broken && { taskId, ...damagedEvent(broken) };
}

/** Undefined if the events are not a task's whole history. The trace shows the events in any case. */
export function taskStateOf(events: readonly RecordedEvent[]): TaskState | undefined {
  const [opened] = events;
  if (opened === undefined || soundPrefix(opened.stream, events) < events.length) return undefined;
  try {
    return families.task.fold(events);
  } catch {
    return undefined;
  }
}

/** Why a task was closed, in the words of its host; undefined if it is open, or no reason was given. */
async function closeReasonOf(
  contents: Contents,
  taskId: string,
  events: readonly RecordedEvent[],
): Promise<string | undefined> {
  const closed = events.find(({ type }) => type === 'TaskClosed');
  if (closed === undefined) return undefined;
  const { schemaVersion, data } = parseEvent(closed.json);
  if (schemaVersion === 1) return textAt(data, 'reason');
  const read = families.task.readWhole(closed.json);
  const commitments = read.ok && read.value.type === 'TaskClosed' ? read.value.data.commitments : undefined;
  if (commitments === undefined) return undefined;
  const content = await contents.of(closed, taskId, commitments);
  return typeof content === 'string' ? content : textAt(content.parts, 'reason');
}

function textAt(object: unknown, name: string): string | undefined {
  const text = isJsonObject(object) ? object[name] : undefined;
  return typeof text === 'string' ? text : undefined;
}
