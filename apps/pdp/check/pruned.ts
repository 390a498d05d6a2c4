import { archiveListIn } from '../../../libs/audit/archives.js';
import type { Event } from '../../../libs/event-log/event.js';
import type { LogWalk, WalkedEvent } from '../../../libs/event-log/sqlite/log-walk.js';
import type { Instant } from '../../../libs/kernel/time.js';
import { families } from '../../../libs/streams/catalogue.js';
import type { EventOf } from '../../../libs/streams/catalogue.js';

/** A task, by its own events. */
interface WalkedTask {
  traceId?: string | undefined;
  expiresAt?: Instant;
  closed?: { readonly position: number; readonly time: Instant };
  /** Its newest event. A task that has ended may be closed or shredded after that, so these do not count. */
  last: { readonly position: number; readonly time: Instant };
}

/** The calls of a task: events that are there, and events that were removed. */
interface WalkedCalls {
  present: number;
  removed: number;
  /** Whether the removed ones are the first revisions of the stream, without a gap. */
  isWhole: boolean;
  lastRemoved: number;
}

/** A task in the list of an archive. */
interface ArchivedTask {
  readonly position: number;
  readonly before: Instant;
  readonly traceId: string;
  readonly calls: number;
}

/**
 * The removed events of a log, held against the archives that the log itself names, and against its tasks. An archive may
 * be forged before the service seals it. So only what a real one removes may be missing: all calls of a task that had ended.
 */
export class PrunedCheck {
  /** By the stream of calls. */
  private readonly calls = new Map<string, WalkedCalls>();
  private readonly tasks = new Map<string, WalkedTask>();
  private readonly archives: {
    readonly position: number;
    readonly time: Instant;
    readonly digest: string;
  }[] = [];
  private allowed: ReadonlyMap<string, readonly ArchivedTask[]> = new Map();

  constructor(private readonly log: Pick<LogWalk, 'blob'>) {}

  /** Takes a removed event, in its place. */
  take({ stream = '', revision, position }: WalkedEvent): void {
    const calls = this.callsIn(stream);
    calls.removed += 1;
    calls.isWhole &&= revision === calls.removed;
    calls.lastRemoved = position;
  }

  /** Takes a whole event that is there, in its place. */
  present(position: number, event: Event): void {
    const { stream, type, time } = event;
    if (families.calls.has(stream)) this.callsIn(stream).present += 1;
    if (type === 'TracesArchived') {
      const { digest } = event.data as EventOf<'TracesArchived'>['data'];
      this.archives.push({ position, time, digest });
    }
    const taskId = families.task.idOf(stream);
    if (taskId !== undefined) this.takeTask(taskId, position, event);
  }

  /** Ends the walk. `through`: the position up to which checkpoints agree. Returns the number of removed events. */
  end(through: number, damaged: (place: string) => void): number {
    this.allowed = this.tasksOf(through);
    let events = 0;
    for (const [stream, { removed }] of this.calls) {
      if (removed === 0) continue;
      events += removed;
      const taskId = families.calls.idOf(stream) ?? '';
      const fault = this.allowed.has(taskId) ? this.faultOf(taskId, 0) : 'no sealed archive names them';
      if (fault !== undefined) damaged(`${stream}: ${removed} events were removed, and ${fault}`);
    }
    return events;
  }

  /**
   * Why content that an event at a position commits to may not be missing; undefined if it may have been removed. Call it
   * after `end`.
   */
  faultOf(taskId: string, position: number): string | undefined {
    const archives = this.allowed.get(taskId) ?? [];
    if (archives.length === 0) return 'no sealed archive names its task';
    const faults = archives.map((archive) => this.faultUnder(archive, taskId, position));
    // Several archives may name a task, if one was interrupted. One that fits is enough.
    return faults.includes(undefined) ? undefined : faults.at(-1);
  }

  private callsIn(stream: string): WalkedCalls {
    const known = this.calls.get(stream);
    if (known !== undefined) return known;
    const calls = { present: 0, removed: 0, isWhole: true, lastRemoved: 0 };
    this.calls.set(stream, calls);
    return calls;
  }

  private takeTask(taskId: string, position: number, { type, time, traceId, data }: Event): void {
    const at = { position, time };
    const task = this.tasks.get(taskId) ?? { last: at };
    this.tasks.set(taskId, task);
    if (type === 'TaskClosed') task.closed ??= at;
    else if (type !== 'TaskShredded') task.last = at;
    if (type !== 'TaskOpened') return;
    task.traceId = traceId;
    task.expiresAt = (data as EventOf<'TaskOpened'>['data']).expiresAt;
  }

  private faultUnder(archive: ArchivedTask, taskId: string, position: number): string | undefined {
    const { present, removed, isWhole, lastRemoved } = this.callsIn(families.calls.stream(taskId));
    const task = this.tasks.get(taskId);
    const named = `the archive at position ${archive.position}`;
    if (removed !== archive.calls) return `its archive has ${archive.calls} of them`;
    if (present > 0 || !isWhole) return `${present} events of the same calls are still there`;
    if (task === undefined) return 'the log has no such task';
    if (task.traceId !== archive.traceId) return `${named} names its task under another trace`;
    if (Math.max(lastRemoved, position) > archive.position) return `${named} is older`;
    return endFault(task, archive);
  }

  /** The tasks that sealed archives name as removed. */
  private tasksOf(through: number): Map<string, ArchivedTask[]> {
    const tasks = new Map<string, ArchivedTask[]>();
    for (const { position, time, digest } of this.archives) {
      const bytes = position <= through ? this.log.blob(digest) : undefined;
      const list = bytes === undefined ? undefined : archiveListIn(bytes);
      // The command takes no time that is to come: an open task would count as expired.
      if (list?.prune !== true || list.before > time) continue;
      const { before } = list;
      for (const { traceId, tasks: archived } of list.traces)
        for (const { taskId, calls } of archived) {
          const known = tasks.get(taskId) ?? [];
          known.push({ position, before, traceId, calls });
          tasks.set(taskId, known);
        }
    }
    return tasks;
  }
}

/** Why a task was not over by the time of an archive. */
function endFault({ closed, expiresAt, last }: WalkedTask, { position, before }: ArchivedTask): string | undefined {
  const named = `the archive at position ${position}`;
  const isExpired = expiresAt !== undefined && expiresAt <= before;
  if (closed === undefined && !isExpired) return `its task was open at ${before}, the time of ${named}`;
  const isClosed = closed !== undefined && closed.position < position && closed.time < before;
  if (!isClosed && !isExpired) return `its task ended after ${before}, the time of ${named}`;
  if (last.position > position || last.time >= before)
    return `its task has events after ${before}, the time of ${named}`;
  return undefined;
}
