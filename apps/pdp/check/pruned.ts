import { archiveListIn } from '../../../libs/audit/archives.js';
import type { LogWalk, WalkedEvent } from '../../../libs/event-log/sqlite/log-walk.js';
import { families } from '../../../libs/streams/catalogue.js';
import type { EventOf } from '../../../libs/streams/catalogue.js';

/**
 * The removed events of a log, held against the archives that the log itself names. Only these may be missing: a deletion
 * that looks like a removal is none without a sealed `TracesArchived` whose list has the task.
 */
export class PrunedCheck {
  /** Removed events by the stream of calls that they belong to. */
  private readonly removed = new Map<string, number>();
  private readonly archives: { readonly position: number; readonly digest: string }[] = [];
  private allowed: ReadonlyMap<string, number> | undefined;

  constructor(private readonly log: Pick<LogWalk, 'blob'>) {}

  /** Takes a removed event, in its place. */
  take({ stream = '' }: WalkedEvent): void {
    this.removed.set(stream, (this.removed.get(stream) ?? 0) + 1);
  }

  archived(position: number, { digest }: EventOf<'TracesArchived'>['data']): void {
    this.archives.push({ position, digest });
  }

  /** Ends the walk. `through`: the position up to which checkpoints agree. Returns the number of removed events. */
  end(through: number, damaged: (place: string) => void): number {
    this.allowed = this.tasksOf(through);
    let events = 0;
    for (const [stream, count] of this.removed) {
      events += count;
      const archived = this.allowed.get(families.calls.idOf(stream) ?? '');
      if (archived === undefined) damaged(`${stream}: ${count} events were removed, and no sealed archive names them`);
      else if (archived !== count)
        damaged(`${stream}: ${count} events were removed, and its archive has ${archived} of them`);
    }
    return events;
  }

  /** Whether the content of a task may have been removed. */
  mayLack(taskId: string): boolean {
    return this.allowed?.has(taskId) === true;
  }

  /** The tasks that sealed archives name as removed, with the number of events of their calls. */
  private tasksOf(through: number): Map<string, number> {
    const tasks = new Map<string, number>();
    for (const { position, digest } of this.archives) {
      const bytes = position <= through ? this.log.blob(digest) : undefined;
      const list = bytes === undefined ? undefined : archiveListIn(bytes);
      if (list?.prune !== true) continue;
      for (const trace of list.traces) for (const { taskId, calls } of trace.tasks) tasks.set(taskId, calls);
    }
    return tasks;
  }
}
