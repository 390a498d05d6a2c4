import { createSecretKey } from 'node:crypto';
import type { Batch, StreamCheck } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, type Result } from '../kernel/result.js';
import type { Keyring } from '../payloads/keyring.js';
import { openPayload } from '../payloads/payload.js';
import { families } from '../streams/catalogue.js';
import type { ControlView } from '../control/control-view.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { TaskLane } from './task-lane.js';

const MAX_LANES = 10_000;
/** Calls that are held in all lanes together, about; each is some 0.7 kB. */
const MAX_HELD_CALLS = 500_000;
/**
 * What lanes hold beside that (scopes, attributes, evidence), about. Calls of ordinary size, 60 to 300 bytes of it each,
 * come to their own bound at about the same time; one lane may hold a quarter: `MAX_CALLS_CHARS`.
 */
const MAX_HELD_BYTES = 134_217_728;
/** How many uses, and bytes of new lanes, may come before all is counted again. */
const COUNT_EVERY = 1000;
const COUNT_EVERY_BYTES = 4_194_304;

/** The lanes of the tasks that were used last, loaded from the log when first needed. */
export class TaskLanes {
  /** In order of use, the longest unused first. */
  private readonly lanes = new Map<string, Promise<TaskLane | undefined>>();
  /** Those of them that are there already. */
  private readonly loaded = new Map<string, TaskLane>();
  private gets = 0;
  /** Of lanes that came since all was counted. */
  private newBytes = 0;
  private excessCalls = 0;
  private excessBytes = 0;

  constructor(
    private readonly log: SettledLog,
    private readonly keys: Keyring,
    private readonly view: ControlView,
  ) {}

  /** How many lanes there are now. */
  get held(): number {
    return this.lanes.size;
  }

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
    else if (this.lanes.get(taskId) === held && this.loaded.get(taskId) !== lane) {
      this.loaded.set(taskId, lane);
      this.newBytes += lane.bytes;
    }
    if (this.lanes.size > MAX_LANES || this.isTooMuch()) await this.evict(lane);
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
   * Waits until all that the lane shows is durable: nobody is answered from what may never have been. `standing` is what
   * the caller rests on, where something is handed over. The position, or undefined where any of it does not hold.
   */
  confirm(lane: TaskLane, standing: readonly StreamCheck[] = []): Promise<bigint | undefined> {
    const { callsStream, calls, taskStream, taskRevision } = lane;
    const checks = [
      ...standing,
      { stream: callsStream, expected: calls.revision },
      { stream: taskStream, expected: taskRevision },
    ];
    return this.commit(lane, { writes: [], checks });
  }

  /** A refusal that rests on what the lane shows, once that is durable. */
  async refuseWhenDurable(lane: TaskLane, refused: Refusal): Promise<Result<never, Refusal> | 'again'> {
    return (await this.confirm(lane)) === undefined ? 'again' : err(refused);
  }

  /** Nobody is likely to need the task again: its lane makes room, unless something is in flight. */
  letGo(lane: TaskLane): void {
    const { taskId } = lane.task;
    const held = this.lanes.get(taskId);
    // One that was given up has its successor in its place, which others may be about to write to.
    if (lane.givenUp || held === undefined || this.loaded.get(taskId) !== lane || lane.inFlight > 0) return;
    lane.givenUp = true;
    this.forget(taskId, held);
  }

  /** Whoever needs the task next gets what the log says. */
  private giveUp(lane: TaskLane): void {
    const { taskId } = lane.task;
    if (lane.givenUp) return;
    lane.givenUp = true;
    const next = lane.whenDrained().then(() => lane.rewound() ?? this.load(taskId));
    // Whoever waits for it hears of a failure; who comes later tries again.
    next.catch(() => this.forget(taskId, next));
    this.lanes.set(taskId, next);
  }

  private forget(taskId: string, held: Promise<TaskLane | undefined>): void {
    if (this.lanes.get(taskId) !== held) return;
    this.lanes.delete(taskId);
    this.loaded.delete(taskId);
  }

  private async load(taskId: string): Promise<TaskLane | undefined> {
    const opened = await this.log.read(families.task.stream(taskId));
    const first = opened[0];
    if (first === undefined) return undefined;
    const key = await this.keys.get(taskId);
    const payload = await this.log.payload(first.stream, first.revision);
    if (key === undefined || payload === undefined) return undefined;
    const content = openPayload(key, payloadPlace(first), payload);
    if (!content.ok) throw new Error(`the payload of ${first.stream} cannot be opened`);
    const task = families.task.fold(opened);
    const calls = await this.log.read(families.calls.stream(taskId));
    if (task === undefined) return undefined;
    const { purpose, attributes } = content.value.parts;
    const { scope, user } = task;
    return new TaskLane(
      task,
      opened.length,
      families.calls.fold(calls),
      { purpose: typeof purpose === 'string' ? purpose : '', attributes: (attributes ?? {}) as JsonObject },
      createSecretKey(key),
      first.position,
      first.json.length + bytesOf([scope, user, content.value.parts]),
    );
  }

  /** Counts now and then: it goes over all lanes. */
  private isTooMuch(): boolean {
    this.gets += 1;
    if (this.gets % COUNT_EVERY !== 0 && this.newBytes < COUNT_EVERY_BYTES) return false;
    this.newBytes = 0;
    this.excessCalls = -MAX_HELD_CALLS;
    this.excessBytes = -MAX_HELD_BYTES;
    for (const { calls, bytes } of this.loaded.values()) {
      this.excessCalls += calls.calls.size;
      this.excessBytes += bytes;
    }
    return this.excessCalls > 0 || this.excessBytes > 0;
  }

  /** Lets go of the longest unused lanes that have nothing in flight, but for the one that is asked for. */
  private async evict(wanted: TaskLane | undefined): Promise<void> {
    for (const [taskId, held] of this.lanes) {
      if (this.lanes.size <= MAX_LANES && this.excessCalls <= 0 && this.excessBytes <= 0) return;
      const lane = await held.catch(() => undefined);
      if (lane === undefined || lane === wanted || lane.givenUp || lane.inFlight > 0) continue;
      lane.givenUp = true;
      this.excessCalls -= lane.calls.calls.size;
      this.excessBytes -= lane.bytes;
      this.forget(taskId, held);
    }
  }
}

/** About how many bytes of memory a value of JSON takes: what is in small pieces takes many times its text. */
function bytesOf(value: unknown): number {
  if (typeof value === 'string') return 24 + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let bytes = 56;
  for (const [name, member] of Object.entries(value))
    bytes += (Array.isArray(value) ? 8 : 32 + name.length) + bytesOf(member);
  return bytes;
}
