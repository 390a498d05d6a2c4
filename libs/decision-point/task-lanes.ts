import { createSecretKey, type KeyObject } from 'node:crypto';
import { callsDecider, type CallsEvent, type CallsState } from '#libs/calls/decider.js';
import { parseEvent, type SealedEvent } from '#libs/event-log/event.js';
import type { Batch, RecordedEvent } from '#libs/event-log/port.js';
import type { SettledLog, SettledOutcome } from '#libs/event-log/settled.js';
import type { JsonObject } from '#libs/kernel/canonical-json.js';
import type { Refusal } from '#libs/kernel/refusal.js';
import { err, type Result } from '#libs/kernel/result.js';
import { openPayload } from '#libs/payloads/payload.js';
import type { Keyring } from '#libs/payloads/keyring.js';
import { taskDecider, type TaskEvent, type TaskState } from '#libs/task/decider.js';
import type { ControlView } from './control-view.js';
import { payloadPlace } from './payload-place.js';

/** What a task's events only commit to. */
export interface TaskContent {
  readonly purpose: string;
  readonly attributes: JsonObject;
}

/**
 * One task with its calls, as the process that serves it sees them: appends are pipelined, so the states run ahead of
 * the log by what is in flight. When an append is refused, what came after it is refused too (each expects the exact
 * revision), and the lane is given up: the next caller waits until nothing is in flight and loads a fresh one.
 */
export class TaskLane {
  inFlight = 0;
  /** Set once the lane no longer says what the log says: whoever holds it asks for another before deciding on it. */
  givenUp = false;
  private drained: (() => void)[] = [];

  constructor(
    readonly task: TaskState,
    public taskRevision: number,
    readonly calls: CallsState,
    readonly content: TaskContent,
    /** Encrypts the task's payload records and keys its request digests. */
    readonly key: KeyObject,
    /** Of its TaskOpened. */
    readonly position: bigint,
  ) {}

  get callsStream(): string {
    return `calls-${this.task.taskId}`;
  }

  get taskStream(): string {
    return `task-${this.task.taskId}`;
  }

  /** Sends a batch on its way and runs ahead of it. Throws what the log throws. Go through `TaskLanes.commit`. */
  async send(log: SettledLog, batch: Batch): Promise<SettledOutcome> {
    const sent = log.append(batch);
    this.inFlight += 1;
    for (const write of batch.writes) this.advance(write.events);
    try {
      return await sent;
    } finally {
      this.inFlight -= 1;
      if (this.inFlight === 0) for (const done of this.drained.splice(0)) done();
    }
  }

  private advance(events: readonly SealedEvent[]): void {
    for (const event of events) {
      if (event.stream === this.callsStream) callsDecider.evolve(this.calls, event.event as CallsEvent);
      else if (event.stream === this.taskStream) {
        taskDecider.evolve(this.task, event.event as TaskEvent);
        this.taskRevision = event.revision;
      }
    }
  }

  whenDrained(): Promise<void> {
    return this.inFlight === 0 ? Promise.resolve() : new Promise((done) => this.drained.push(done));
  }
}

const MAX_LANES = 10_000;

/** The lanes of the tasks that were used last, loaded from the log when first needed. */
export class TaskLanes {
  /** In order of use, the longest unused first. */
  private readonly lanes = new Map<string, Promise<TaskLane | undefined>>();

  constructor(
    private readonly log: SettledLog,
    private readonly keys: Keyring,
    private readonly view: ControlView,
  ) {}

  /** The lane of a task, undefined where there is no such task or its content was shredded. Throws `LogUnavailable`. */
  async get(taskId: string): Promise<TaskLane | undefined> {
    const held = this.lanes.get(taskId) ?? this.load(taskId);
    this.lanes.delete(taskId);
    this.lanes.set(taskId, held);
    let lane: TaskLane | undefined;
    try {
      lane = await held;
    } catch (error) {
      this.forget(taskId, held);
      throw error;
    }
    if (lane === undefined) this.forget(taskId, held);
    if (this.lanes.size > MAX_LANES) await this.evict();
    return lane;
  }

  /**
   * Appends for a task. The position of the commit, or undefined where the batch was refused: then the view has been
   * brought up to date, the lane is given up, and the caller decides anew. Throws what the log throws.
   */
  async commit(lane: TaskLane, batch: Batch): Promise<bigint | undefined> {
    try {
      const outcome = await lane.send(this.log, batch);
      if (outcome.kind === 'committed') return outcome.position;
      this.giveUp(lane);
      await this.view.refresh(outcome.violations.map((violation) => violation.stream));
      return undefined;
    } catch (error) {
      this.giveUp(lane);
      throw error;
    }
  }

  /**
   * Waits until all that the lane shows is durable: nobody is answered from what may never have been. The position, or
   * undefined where the lane was given up meanwhile.
   */
  confirm(lane: TaskLane): Promise<bigint | undefined> {
    const { callsStream, calls, taskStream, taskRevision } = lane;
    const checks = [
      { stream: callsStream, expected: calls.revision },
      { stream: taskStream, expected: taskRevision },
    ];
    return this.commit(lane, { writes: [], checks });
  }

  /** A refusal that rests on what the lane shows, once that is durable. */
  async confirmed(lane: TaskLane, refused: Refusal): Promise<Result<never, Refusal> | 'again'> {
    return (await this.confirm(lane)) === undefined ? 'again' : err(refused);
  }

  /** Whoever needs the task next gets what the log says. */
  private giveUp(lane: TaskLane): void {
    const { taskId } = lane.task;
    if (lane.givenUp) return;
    lane.givenUp = true;
    const next = lane.whenDrained().then(() => this.load(taskId));
    // Whoever waits for it hears of a failure; who comes later tries again.
    next.catch(() => this.forget(taskId, next));
    this.lanes.set(taskId, next);
  }

  private forget(taskId: string, held: Promise<TaskLane | undefined>): void {
    if (this.lanes.get(taskId) === held) this.lanes.delete(taskId);
  }

  private async load(taskId: string): Promise<TaskLane | undefined> {
    const opened = await this.log.read(`task-${taskId}`);
    const first = opened[0];
    if (first === undefined) return undefined;
    const key = await this.keys.get(taskId);
    const payload = await this.log.payload(first.stream, first.revision);
    if (key === undefined || payload === undefined) return undefined;
    const content = openPayload(key, payloadPlace(first), payload);
    if (!content.ok) throw new Error(`the payload of ${first.stream} cannot be opened`);
    const task = foldTask(opened);
    const calls = await this.log.read(`calls-${taskId}`);
    if (task === undefined) return undefined;
    const { purpose, attributes } = content.value.parts;
    return new TaskLane(
      task,
      opened.length,
      foldCalls(calls),
      { purpose: typeof purpose === 'string' ? purpose : '', attributes: (attributes ?? {}) as JsonObject },
      createSecretKey(key),
      first.position,
    );
  }

  /** Lets go of the longest unused lanes that have nothing in flight. */
  private async evict(): Promise<void> {
    for (const [taskId, held] of this.lanes) {
      if (this.lanes.size <= MAX_LANES) return;
      const lane = await held.catch(() => undefined);
      if (lane === undefined || lane.inFlight > 0) continue;
      lane.givenUp = true;
      this.forget(taskId, held);
    }
  }
}

export function foldTask(events: readonly RecordedEvent[]): TaskState | undefined {
  let state = taskDecider.initialState();
  for (const event of events) state = taskDecider.evolve(state, parseEvent(event.json) as TaskEvent);
  return state;
}

export function foldCalls(events: readonly RecordedEvent[]): CallsState {
  let state = callsDecider.initialState();
  for (const { json, position } of events) {
    state = callsDecider.evolve(state, { ...(parseEvent(json) as CallsEvent), position });
  }
  return state;
}
