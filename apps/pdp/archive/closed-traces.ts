import { archiveListIn, archiveLists } from '../../../libs/audit/archives.js';
import { parseEvent } from '../../../libs/event-log/event.js';
import { everyEvent } from '../../../libs/event-log/every-event.js';
import type { LogReading } from '../../../libs/event-log/port.js';
import { toInstant, type Instant } from '../../../libs/kernel/time.js';
import { families } from '../../../libs/streams/catalogue.js';
import { taskStatus } from '../../../libs/task/decider.js';

/** A trace that has ended, with what an archive says of it. */
export interface ClosedTrace {
  readonly traceId: string;
  readonly tasks: readonly { readonly taskId: string; readonly calls: number }[];
  /** Events of its own streams. */
  readonly events: number;
  /** The position of its last event. */
  readonly last: bigint;
}

/** A trace that is left out, and why. */
export interface LeftOut {
  readonly traceId: string;
  readonly why: string;
}

interface TraceOptions {
  /** Every event of the trace is older, and every task ended before. */
  readonly before: Instant;
  readonly prune: boolean;
  /** With `prune`: positions after it may not have been sent to Kafka or a SIEM yet. */
  readonly sent: bigint;
}

/**
 * The traces that ended before a time, in order of their opening. Those that an earlier archive has are left out, unless
 * they are to be removed now and are still there. Throws what the log throws.
 */
export async function* closedTraces(
  log: LogReading,
  { before, prune, sent }: TraceOptions,
): AsyncGenerator<ClosedTrace | LeftOut> {
  const archived = await archivedTraces(log);
  for (const [traceId, taskIds] of await tracesOf(log)) {
    const pruned = await Promise.all(taskIds.map((taskId) => isPruned(log, taskId)));
    if (archived.has(traceId) && (!prune || pruned.every(Boolean))) continue;
    if (pruned.some(Boolean)) {
      yield { traceId, why: 'a part of it was archived and removed before' };
      continue;
    }
    const found = await closedTrace(log, traceId, taskIds, before).catch((error: unknown): LeftOut => {
      return { traceId, why: `it cannot be read: ${error instanceof Error ? error.message : 'unknown error'}` };
    });
    if (found !== undefined && 'last' in found && prune && found.last > sent)
      yield { traceId, why: 'Kafka or a SIEM does not have all of it yet' };
    else if (found !== undefined) yield found;
  }
}

/** Whether the content of a task was removed. A task that was erased has its content, which nobody can read. */
const isPruned = async (log: LogReading, taskId: string): Promise<boolean> =>
  (await log.payload(families.task.stream(taskId), 1)) === undefined;

async function archivedTraces(log: LogReading): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { bytes } of await archiveLists(log))
    for (const { traceId } of archiveListIn(bytes)?.traces ?? []) found.add(traceId);
  return found;
}

async function tracesOf(log: LogReading): Promise<ReadonlyMap<string, readonly string[]>> {
  const traces = new Map<string, string[]>();
  for await (const { stream, json } of everyEvent(log, { after: 0n, categories: [families.trace.category] })) {
    const traceId = families.trace.idOf(stream) ?? '';
    const tasks = traces.get(traceId) ?? [];
    tasks.push(families.trace.read(json).data.taskId);
    traces.set(traceId, tasks);
  }
  return traces;
}

async function closedTrace(
  log: LogReading,
  traceId: string,
  taskIds: readonly string[],
  before: Instant,
): Promise<ClosedTrace | LeftOut | undefined> {
  const tasks: { taskId: string; calls: number }[] = [];
  let [events, last] = [taskIds.length, 0n];
  for (const taskId of taskIds) {
    const opened = await log.read(families.task.stream(taskId));
    const state = families.task.fold(opened);
    const callsStream = families.calls.stream(taskId);
    const calls = await log.head(callsStream);
    const lastCall = calls === 0 ? [] : await log.read(callsStream, calls - 1, 1);
    if (state === undefined) return { traceId, why: `task ${taskId} cannot be read` };
    const newest = [...opened.slice(-1), ...lastCall];
    // A task that nobody closed ends by the clock.
    if (taskStatus(state, before) === 'open' || newest.some(({ json }) => parseEvent(json).time >= before))
      return undefined;
    for (const { position } of newest) if (position > last) last = position;
    tasks.push({ taskId, calls });
    events += opened.length + calls;
  }
  return { traceId, tasks, events, last };
}

/** A date or a time as an instant. Undefined if it is none. */
export function instantOf(text: string): Instant | undefined {
  const ms = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(ms) ? undefined : toInstant(ms);
}
