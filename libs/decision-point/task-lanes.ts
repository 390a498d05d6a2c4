import { createSecretKey } from 'node:crypto';
import type { Batch, StreamCheck } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, type Result } from '../kernel/result.js';
import type { Keyring } from '../payloads/keyring.js';
import { openPayload } from '../payloads/payload.js';
import { taskContentOf } from '../task/content.js';
import { families } from '../streams/catalogue.js';
import type { ControlView } from '../control/control-view.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { earlierContent } from './earlier-content.js';
import { TaskLane, type Seen } from './task-lane.js';

const MAX_LANES = 10_000;
/** Approximate limit of calls in all lanes together. Each takes about 0.7 kB. */
const MAX_HELD_CALLS = 500_000;
/**
 * Approximate limit of the lanes' other memory (scopes, attributes, evidence), in bytes. Ordinary calls hold 60 to 300
 * bytes of it, so they reach both limits at about the same time. One lane may hold a quarter: `MAX_CALLS_CHARS`.
 */
const MAX_HELD_BYTES = 134_217_728;
/** Uses, and bytes of new lanes and of growth, after which all lanes are counted again. */
const COUNT_EVERY = 1000;
const COUNT_EVERY_BYTES = 4_194_304;

/** The lanes of the most recently used tasks, loaded from the log when first needed. */
export class TaskLanes {
  /** In order of use, the least recently used first. */
  private readonly lanes = new Map<string, Promise<TaskLane | undefined>>();
  /** The lanes that have finished loading. */
  private readonly loaded = new Map<string, TaskLane>();
  private gets = 0;
  /** Bytes by which lanes have grown after the last count, those of new lanes included. */
  private newBytes = 0;
  private excessCalls = 0;
  private excessBytes = 0;

  constructor(
    private readonly log: SettledLog,
    private readonly keys: Keyring,
    private readonly view: ControlView,
  ) {}

  /** The number of lanes now. */
  get held(): number {
    return this.lanes.size;
  }

  /** The trace of a task whose lane is loaded. It does not use the lane. */
  traceOf(taskId: string): string | undefined {
    return this.loaded.get(taskId)?.task.traceId;
  }

  /** The lane of a task. Undefined if there is no such task, its content was shredded, or its key is missing. Throws `LogUnavailable`. */
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
    else if (this.lanes.get(taskId) === held) {
      this.loaded.set(taskId, lane);
      this.countGrowth(lane);
    }
    if (this.lanes.size > MAX_LANES || this.isTooMuch()) await this.evict(lane);
    return lane;
  }

  /**
   * Appends for a task. Returns the position of the commit, or undefined if the batch was refused. After a refusal, the
   * view is up to date, the lane is given up, and the caller decides again. `beside` is what the task sees by it. Throws
   * what the log throws.
   */
  async commit(lane: TaskLane, batch: Batch, beside?: Seen): Promise<bigint | undefined> {
    try {
      const sent = lane.send(this.log, batch, beside);
      this.countGrowth(lane);
      const outcome = await sent;
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
   * Waits until everything that the lane shows is durable, so that no answer relies on a state that is then lost.
   * `precondition` has the further checks of an answer that delivers something. Returns the position, or undefined if
   * any check fails.
   */
  confirm(lane: TaskLane, precondition: readonly StreamCheck[] = []): Promise<bigint | undefined> {
    const { callsStream, calls, taskStream, taskRevision } = lane;
    const checks = [
      ...precondition,
      { stream: callsStream, expected: calls.revision },
      { stream: taskStream, expected: taskRevision },
    ];
    return this.commit(lane, { writes: [], checks });
  }

  /** Returns a refusal that relies on what the lane shows, once that is durable. */
  async refuseWhenDurable(lane: TaskLane, refused: Refusal): Promise<Result<never, Refusal> | 'again'> {
    return (await this.confirm(lane)) === undefined ? 'again' : err(refused);
  }

  /** Frees the lane of a task that is unlikely to be needed again, unless something is in flight. */
  letGo(lane: TaskLane): void {
    const { taskId } = lane.task;
    const held = this.lanes.get(taskId);
    // A lane that was given up has already been replaced. Other callers may be about to write to the replacement.
    if (lane.givenUp || held === undefined || this.loaded.get(taskId) !== lane || lane.inFlight > 0) return;
    lane.givenUp = true;
    this.forget(taskId, held);
  }

  /** Forgets a task that was shredded, with its key and its content. No lane is loaded for it again. */
  drop(taskId: string): void {
    const held = this.lanes.get(taskId);
    const lane = this.loaded.get(taskId);
    if (lane !== undefined) lane.givenUp = true;
    if (held !== undefined) this.forget(taskId, held);
  }

  /** Replaces the lane by one that agrees with the log. */
  private giveUp(lane: TaskLane): void {
    const { taskId } = lane.task;
    if (lane.givenUp) return;
    lane.givenUp = true;
    const next = lane.whenDrained().then(() => lane.rewound() ?? this.load(taskId));
    // A caller that waits for the replacement gets the failure. A later caller tries again.
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
    if (task === undefined || task.shredded) return undefined;
    const held = taskContentOf(content.value.parts, task);
    if (held === undefined) throw new Error(`the payload of ${first.stream} is not the content of a task`);
    const { scope, user } = task;
    const { flow, unread, labels } = earlierContent(this.view, calls);
    return new TaskLane(
      task,
      opened.length,
      families.calls.fold(calls),
      held,
      createSecretKey(key),
      first.position,
      first.json.length + bytesOf([scope, user, content.value.parts]),
      flow,
      unread,
      labels,
    );
  }

  private countGrowth(lane: TaskLane): void {
    this.newBytes += Math.max(0, lane.bytes - lane.countedBytes);
    lane.countedBytes = lane.bytes;
  }

  /** Counts only now and then, because it visits every lane. */
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

  /** Removes the least recently used lanes that have nothing in flight, except the wanted one. */
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

/** Approximate memory of a JSON value, in bytes. Many small values take many times the size of their text. */
function bytesOf(value: unknown): number {
  if (typeof value === 'string') return 24 + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let bytes = 56;
  for (const [name, member] of Object.entries(value))
    bytes += (Array.isArray(value) ? 8 : 32 + name.length) + bytesOf(member);
  return bytes;
}
