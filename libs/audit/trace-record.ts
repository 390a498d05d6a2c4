import { categoryOf, parseEvent } from '../event-log/event.js';
import { justBefore } from '../event-log/position.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { verifySealed } from '../event-log/verify.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { isForeign } from '../decision-point/trace.js';
import { families } from '../streams/catalogue.js';
import { attemptsOf, type Attempt } from './attempts.js';
import type { IndexReading } from './index/reading.js';
import type { DirectiveHistory } from './directive-history.js';
import type { Reference } from './index/messages.js';
import { soundPrefix } from './soundness.js';
import { byPosition } from './stored-event.js';

/** All events of a trace, as of one position. */
export interface TraceRecord {
  readonly traceId: string;
  /** The end of the log when the record was read. */
  readonly end: bigint;
  readonly tasks: readonly { readonly taskId: string; readonly events: readonly RecordedEvent[] }[];
  /** Events of the trace, its tasks, their calls, and refusals with its id, in order of position. */
  readonly events: readonly RecordedEvent[];
  /** In order of position. */
  readonly attempts: readonly Attempt[];
  readonly unreadable: readonly RecordedEvent[];
  /** No event is damaged, missing within its stream, or out of its place. */
  readonly sound: boolean;
}

/**
 * Reads a trace; undefined if it has no events, `too_large` above `maxEvents`. Throws `LogUnavailable`, and
 * `IndexUnavailable` if the index of refusals does not catch up in time.
 */
export async function readTrace(
  log: LogReading,
  index: IndexReading,
  directives: DirectiveHistory,
  traceId: string,
  maxEvents: number,
): Promise<Result<TraceRecord | undefined, Refusal>> {
  const traceStream = families.trace.stream(traceId);
  const end = await index.asOf();
  const [refusals, joined] = await Promise.all([
    index.refusals(traceId, maxEvents + 1),
    log.read(traceStream, 0, maxEvents + 1),
  ]);
  let left = maxEvents - refusals.length - joined.length;
  const record: Reading = {
    events: [],
    attempts: [],
    unreadable: [],
    sound: soundPrefix(traceStream, joined) === joined.length,
  };
  const within = (events: readonly RecordedEvent[]) => events.filter(({ position }) => position <= end);
  const taskIds = new Set<string>();
  for (const { json } of joined) {
    const read = families.trace.readWhole(json);
    if (read.ok) taskIds.add(read.value.data.taskId);
    else record.sound = false;
  }
  const tasks: { taskId: string; events: readonly RecordedEvent[] }[] = [];
  for (const taskId of taskIds) {
    if (left < 0) break;
    const streams = [families.task.stream(taskId), families.calls.stream(taskId)] as const;
    const [task, calls] = await Promise.all([log.read(streams[0], 0, left + 1), log.read(streams[1], 0, left + 1)]);
    left -= task.length + calls.length;
    if (soundPrefix(streams[0], task) < task.length || soundPrefix(streams[1], calls) < calls.length) {
      record.sound = false;
    }
    // Events with the same position stay in the order of their append.
    record.events.push(...within(calls), ...within(task));
    tasks.push({ taskId, events: within(task) });
    take(record, within(calls));
  }
  if (left < 0) return err(tooLarge());
  record.events.push(...within(joined), ...within(await driftOf(log, directives, traceId, record.attempts)));
  for (const reference of refusals) {
    const event = await eventAt(log, reference);
    if (event === undefined || verifySealed(event.json)?.stream !== event.stream) record.sound = false;
    if (event === undefined || isForeign(joined, families.refusals.idOf(event.stream) ?? '')) continue;
    record.events.push(event);
    take(record, [event]);
  }
  if (record.events.length === 0) return ok(undefined);
  record.events.sort(byPosition);
  record.attempts.sort((a, b) => byPosition(a.event, b.event));
  return ok({ traceId, end, tasks, ...record });
}

/** The effects of the trace's calls in other streams: the drift that they observed, and the suspension with its directive. */
async function driftOf(
  log: LogReading,
  directives: DirectiveHistory,
  traceId: string,
  attempts: readonly Attempt[],
): Promise<RecordedEvent[]> {
  const drifted = attempts.filter(({ decided }) => decided.reason === 'definition_drifted' && decided.observed.whole);
  if (drifted.length === 0) return [];
  await directives.refresh();
  const events = await directives.ofTrace(traceId);
  for (const capability of new Set(drifted.map(({ decided }) => decided.capability))) {
    const own = await log.read(families.capability.stream(capability));
    events.push(...own.filter(({ json }) => parseEvent(json).traceId === traceId));
  }
  return events;
}

interface Reading {
  readonly events: RecordedEvent[];
  readonly attempts: Attempt[];
  readonly unreadable: RecordedEvent[];
  sound: boolean;
}

function take(record: Reading, events: readonly RecordedEvent[]): void {
  const { attempts, unreadable } = attemptsOf(events);
  record.attempts.push(...attempts);
  record.unreadable.push(...unreadable);
}

/** The event at a place in the log, without reading the rest of its stream; undefined if it is not there. */
export async function eventAt(log: LogReading, place: Reference): Promise<RecordedEvent | undefined> {
  const { position, stream, revision } = place;
  const events = await log.readAll({ after: justBefore(position), categories: [categoryOf(stream)], limit: 1 });
  return events.find((event) => event.stream === stream && event.revision === revision);
}

export const tooLarge = (): Refusal =>
  refusal('too_large', 'the trace is too large for one answer: request its calls and events in pages');
