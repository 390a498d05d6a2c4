import { parseEvent } from '../event-log/event.js';
import { justBefore } from '../event-log/position.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { families } from '../streams/catalogue.js';
import { withGaps } from './event-source.js';
import { isWhole } from './soundness.js';

/** Events of tasks around a joining that are searched for the opening of its task. */
const NEIGHBOURS = 4;
/** Events of calls that are searched for the id of their trace. */
const FIRST_CALLS = 16;

/** An event that joined a task to a trace. */
export interface Joined {
  readonly event: RecordedEvent;
  /** The event could be read. */
  readonly isRead: boolean;
  /** The task and its host. Undefined if neither the event nor the opening of its task can be read. */
  readonly taskId?: string;
  readonly host?: string;
}

/**
 * The tasks of a trace, in order. If an event that joined a task is damaged, the opening of the task says which one it was:
 * one batch writes both. If that is damaged too, the calls of the task say that they belong to the trace. Throws
 * `LogUnavailable`.
 */
export async function joinedTo(
  log: Pick<LogReading, 'read' | 'readAll'>,
  traceId: string,
  limit?: number,
): Promise<Joined[]> {
  const stream = families.trace.stream(traceId);
  const joined: Joined[] = [];
  const known = new Set<string>();
  for (const event of withGaps(stream, await log.read(stream, 0, limit), 0)) {
    const read = isWhole(event) ? families.trace.readWhole(event.json) : undefined;
    const found = read?.ok === true ? read.value.data : await openedNear(log, traceId, event.position, known);
    if (found !== undefined) known.add(found.taskId);
    joined.push({ event, isRead: read?.ok === true, ...found });
  }
  return joined;
}

/**
 * Whether the tasks of a trace are of another host, as far as they can be read: no host may write into another host's
 * evidence.
 */
export const isOfOtherHost = (joined: readonly Joined[], host: string): boolean =>
  joined.some((each) => each.host !== undefined && each.host !== host);

async function openedNear(
  log: Pick<LogReading, 'read' | 'readAll'>,
  traceId: string,
  position: bigint,
  known: ReadonlySet<string>,
): Promise<{ taskId: string; host?: string } | undefined> {
  const after = justBefore(justBefore(position));
  const near = await log.readAll({ after, categories: [families.task.category], limit: NEIGHBOURS });
  for (const event of near) {
    const id = families.task.idOf(event.stream);
    if (!isWhole(event)) {
      const isOpening = id !== undefined && event.revision === 1 && !known.has(id);
      if (isOpening && (await hasCallsOf(log, traceId, id))) return { taskId: id };
      continue;
    }
    if (parseEvent(event.json).traceId !== traceId) continue;
    const read = families.task.readWhole(event.json);
    if (!read.ok || read.value.type !== 'TaskOpened' || known.has(read.value.data.taskId)) continue;
    const { taskId, host } = read.value.data;
    return { taskId, host };
  }
  return undefined;
}

async function hasCallsOf(log: Pick<LogReading, 'read'>, traceId: string, taskId: string): Promise<boolean> {
  const calls = await log.read(families.calls.stream(taskId), 0, FIRST_CALLS);
  return calls.some((event) => isWhole(event) && parseEvent(event.json).traceId === traceId);
}
