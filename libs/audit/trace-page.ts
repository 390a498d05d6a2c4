import { parseEvent } from '../event-log/event.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { families } from '../streams/catalogue.js';
import { attemptsOf, type Attempt } from './attempts.js';
import { completed, withFilters } from './attempts-at.js';
import type { DirectiveHistory } from './directive-history.js';
import { listSource, revisionAt, streamSource, type EventSource } from './event-source.js';
import { eventsAt } from './events-at.js';
import type { IndexReading } from './index/reading.js';
import { Merge } from './merge.js';
import { isOfOtherHost, joinedTo, type Joined } from './joined.js';
import { isWhole } from './soundness.js';
import { byPosition } from './stored-event.js';

/** A page of a trace: its events after one position up to another, and the attempts that they decided. */
export interface TracePage {
  readonly traceId: string;
  /** The end of the log when the page was read. */
  readonly end: bigint;
  /** Events of the trace, its tasks, their calls, and refusals with its id, in order of position. */
  readonly events: readonly RecordedEvent[];
  /** In order of position. Each has its response and outcome, which may be events of a later page. */
  readonly attempts: readonly Attempt[];
  /** Events of calls that are damaged or of a newer version, and that no attempt is known to have. In order of position. */
  readonly unreadable: readonly RecordedEvent[];
  /** No event is damaged, missing within its stream, or out of its place. */
  readonly sound: boolean;
  /** The position of the last event, if there are more. */
  readonly next?: bigint;
}

/** `maxCalls` and `maxEvents` bound a page. Events of one position stay together, so it may hold a few more. */
export interface PageBounds {
  readonly after: bigint;
  readonly maxCalls: number;
  readonly maxEvents: number;
}

export interface TraceSources {
  readonly log: LogReading;
  readonly index: IndexReading;
  readonly directives: DirectiveHistory;
}

/** Reads a page of a trace. Throws `LogUnavailable`, `IndexUnavailable`. */
export async function readTracePage(sources: TraceSources, traceId: string, bounds: PageBounds): Promise<TracePage> {
  const { log, index } = sources;
  const end = await index.asOf();
  const joined = await joinedTo(log, traceId);
  const { events, next, isExhausted } = await merged(sources, traceId, joined, end, bounds);
  const read = [...byStream(events).values()].map(attemptsOf);
  const found = read.flatMap((each) => each.attempts).sort((a, b) => byPosition(a.event, b.event));
  const unreadable = read.flatMap((each) => each.unreadable).sort(byPosition);
  const isWithinPage = isExhausted && unreadable.length === 0;
  const attempts = await withFilters(sources.log, isWithinPage ? found : await completed(sources, found, end));
  const lost = new Set(attempts.flatMap(lostPlaces));
  return defined({
    traceId,
    end,
    events,
    attempts,
    unreadable: unreadable.filter((event) => !lost.has(payloadPlace(event))),
    // Without its joining, nobody knows which task is missing.
    sound: events.every(isWhole) && joined.every(({ isRead }) => isRead),
    next,
  });
}

/** The places of the events that an attempt is known to have, and that cannot be read. */
function lostPlaces({ event: { stream }, lost }: Attempt): string[] {
  const revisions = [lost?.filtered, lost?.response, lost?.released, lost?.outcome].filter(
    (revision) => revision !== undefined,
  );
  return revisions.map((revision) => payloadPlace({ stream, revision }));
}

interface Merged {
  readonly events: readonly RecordedEvent[];
  readonly next?: bigint | undefined;
  /** The page reaches the end of the trace. */
  readonly isExhausted: boolean;
}

async function merged(
  sources: TraceSources,
  traceId: string,
  joined: readonly Joined[],
  end: bigint,
  { after, maxCalls, maxEvents }: PageBounds,
): Promise<Merged> {
  const merge = new Merge([
    ...(await tasksBefore(sources, joined, after)),
    listSource(joined.map(({ event }) => event).filter(({ position }) => position > after)),
    listSource(await refusalsOf(sources, traceId, joined, after, maxCalls + 1)),
    listSource(await driftOf(sources, traceId, after)),
  ]);
  const coming = tasksAfter(joined, after);
  const events: RecordedEvent[] = [];
  let calls = 0;
  for (;;) {
    let position = await merge.next();
    for (let task = coming[0]; task !== undefined && (position === undefined || position > task.bound);) {
      coming.shift();
      merge.add(streamSource(sources.log, families.task.stream(task.taskId)));
      merge.add(streamSource(sources.log, families.calls.stream(task.taskId)));
      position = await merge.next();
      task = coming[0];
    }
    if (position === undefined || position > end) return { events, isExhausted: true };
    if (events.length > 0 && (calls >= maxCalls || events.length >= maxEvents))
      return { events, next: events.at(-1)?.position, isExhausted: false };
    const taken = await merge.takeAt(position);
    events.push(...taken);
    calls += taken.filter(({ type }) => type === 'CallDecided' || type === 'CallRefused').length;
  }
}

/** The streams of tasks that were joined before the page, as far as they go on in it. */
async function tasksBefore(
  { log, index }: TraceSources,
  joined: readonly Joined[],
  after: bigint,
): Promise<EventSource[]> {
  if (after === 0n) return [];
  const streams = joined
    .filter(({ event }) => event.position <= after)
    .flatMap(({ taskId }) => taskId ?? [])
    .flatMap((taskId) => [families.task.stream(taskId), families.calls.stream(taskId)]);
  const ends = await index.ends(streams);
  const going = streams.filter((_, at) => (ends[at] ?? 0n) > after);
  return Promise.all(going.map(async (stream) => streamSource(log, stream, await revisionAt(log, stream, after))));
}

/**
 * The tasks that are joined in this page or later. One batch opens a task and joins it to its trace. So all events of
 * a task come after the joining of the task before it.
 */
function tasksAfter(joined: readonly Joined[], after: bigint): { taskId: string; bound: bigint }[] {
  const tasks: { taskId: string; bound: bigint }[] = [];
  let bound = 0n;
  for (const { event, taskId } of joined) {
    if (taskId !== undefined && event.position > after) tasks.push({ taskId, bound });
    bound = event.position;
  }
  return tasks;
}

/** Refusals of other hosts are not shown: no host may write into the evidence of another. */
async function refusalsOf(
  { log, index }: TraceSources,
  traceId: string,
  joined: readonly Joined[],
  after: bigint,
  limit: number,
): Promise<RecordedEvent[]> {
  const references = await index.refusals(traceId, after, limit);
  const own = references.filter(({ stream }) => !isOfOtherHost(joined, families.refusals.idOf(stream) ?? ''));
  const found = await eventsAt(log, own);
  return own.map(({ position, stream, revision }) => {
    return found.get(`${stream}@${revision}`) ?? { position, stream, revision, type: '', json: '' };
  });
}

/** The effects of the trace's calls in other streams: the drift that they observed, and the suspension with its directive. */
async function driftOf(
  { log, index, directives }: TraceSources,
  traceId: string,
  after: bigint,
): Promise<RecordedEvent[]> {
  const drifted = await index.drifted(traceId);
  if (drifted.length === 0) return [];
  await directives.refresh();
  const events = await directives.ofTrace(traceId);
  for (const capability of drifted) {
    const own = await log.read(families.capability.stream(capability));
    events.push(...own.filter((event) => isWhole(event) && parseEvent(event.json).traceId === traceId));
  }
  return events.filter(({ position }) => position > after).sort(byPosition);
}

function byStream(events: readonly RecordedEvent[]): Map<string, RecordedEvent[]> {
  const streams = new Map<string, RecordedEvent[]>();
  for (const event of events) {
    const own = streams.get(event.stream);
    if (own === undefined) streams.set(event.stream, [event]);
    else own.push(event);
  }
  return streams;
}
