import type { Caller } from '../control/caller.js';
import type { ControlPlane, Plan } from '../control/control-plane.js';
import { DamagedEvidence, OutcomeUnknown, type EventLog, type RecordedEvent } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { KeyringUnavailable, type Keyring } from '../payloads/keyring.js';
import { families } from '../streams/catalogue.js';
import { writeOf } from '../streams/facts.js';
import { taskDecider, type ShredCause } from '../task/decider.js';
import type { TaskLanes } from './task-lanes.js';

/** Why tasks are shredded. */
export interface Shredding {
  readonly cause: ShredCause;
  readonly reason?: string | undefined;
}

/** Erases the content of tasks. Nobody can read it without the key of the task. */
export class Shredder {
  /** Tasks that are being shredded. */
  private readonly busy = new Set<string>();

  constructor(
    private readonly log: Pick<EventLog, 'read'>,
    private readonly plane: ControlPlane,
    private readonly lanes: TaskLanes,
    private readonly keys: Keyring,
  ) {}

  /**
   * Records `TaskShredded` for each task in one append, and then destroys the keys. An open task is closed by the same
   * append. A task that was shredded before stays as it is, but its key is destroyed again. Refuses `not_found` if one of
   * the tasks does not exist. Throws what the log throws,
   * and `OutcomeUnknown` if a key could not be destroyed: the same request again destroys it.
   */
  async shred(
    taskIds: readonly string[],
    caller: Caller,
    shredding: Shredding,
  ): Promise<Result<{ position: bigint }, Refusal>> {
    for (const taskId of taskIds) this.busy.add(taskId);
    try {
      return await this.recordAndDestroy(taskIds, caller, shredding);
    } finally {
      for (const taskId of taskIds) this.busy.delete(taskId);
    }
  }

  private async recordAndDestroy(
    taskIds: readonly string[],
    caller: Caller,
    shredding: Shredding,
  ): Promise<Result<{ position: bigint }, Refusal>> {
    await this.keys.condemn(...taskIds);
    const prepare = () => Promise.all(taskIds.map((taskId) => this.log.read(families.task.stream(taskId))));
    const run = await this.plane.run(caller, (now, tasks) => planOf(tasks, caller, shredding, now), prepare);
    if (run.ok) await this.destroyKeys(taskIds);
    else await this.keys.spare(...taskIds);
    return run;
  }

  /**
   * Completes what a crash, or a store that failed, left undone: a recorded erasure without the end of its key. If the
   * task has a damaged event, nobody can say whether it was erased: its key stays condemned.
   */
  async complete(): Promise<void> {
    for (const taskId of await this.keys.condemned()) {
      if (this.busy.has(taskId)) continue;
      const events = await this.wholeEvents(taskId);
      if (events === undefined) continue;
      if (events.some(({ type }) => type === 'TaskShredded')) await this.destroyKeys([taskId]);
      else await this.keys.spare(taskId);
    }
  }

  private async wholeEvents(taskId: string): Promise<readonly RecordedEvent[] | undefined> {
    try {
      return await this.log.read(families.task.stream(taskId));
    } catch (error) {
      if (error instanceof DamagedEvidence) return undefined;
      throw error;
    }
  }

  private async destroyKeys(taskIds: readonly string[]): Promise<void> {
    try {
      await this.keys.shred(...taskIds);
    } catch (error) {
      if (!(error instanceof KeyringUnavailable)) throw error;
      throw new OutcomeUnknown('the erasure is recorded, and the key could not be destroyed yet');
    } finally {
      for (const taskId of taskIds) this.lanes.drop(taskId);
    }
  }
}

function planOf(
  tasks: readonly (readonly RecordedEvent[])[],
  { name: actor }: Caller,
  shredding: Shredding,
  time: Instant,
): Result<Plan, Refusal> {
  const writes: Plan['writes'][number][] = [];
  for (const events of tasks) {
    const decided = taskDecider.decide({ type: 'shred', ...shredding, actor, time }, families.task.fold(events));
    if (!decided.ok) return decided;
    const last = events.at(-1);
    if (last !== undefined) writes.push(writeOf(last.stream, last.revision, decided.value));
  }
  return ok({ writes });
}
