import type { KeyObject } from 'node:crypto';
import { callsDecider, type CallsEvent, type CallsState } from '../calls/decider.js';
import { EventTooLarge } from '../event-log/batch.js';
import type { SealedEvent } from '../event-log/event.js';
import { LogOverloaded, type Batch, type Violation } from '../event-log/port.js';
import type { SettledLog, SettledOutcome } from '../event-log/settled.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import { taskDecider, type TaskEvent, type TaskState } from '../task/decider.js';

/** What a task's events only commit to. */
export interface TaskContent {
  readonly purpose: string;
  readonly attributes: JsonObject;
}

/** Takes back what one batch has put into the states. */
type Undo = () => void;

/**
 * One task with its calls, as the process that serves it sees them: appends are pipelined, so the states run ahead of
 * the log by what is in flight. When an append is refused, what came after it is refused too (each expects the exact
 * revision), and the lane is given up: the next caller waits until nothing is in flight and gets a lane that has taken
 * the refused back.
 */
export class TaskLane {
  inFlight = 0;
  /** Set once the lane no longer says what the log says: whoever holds it asks for another before deciding on it. */
  givenUp = false;
  /** What is not committed yet, or has been refused, in the order in which it was sent. */
  private readonly ahead = new Set<Undo>();
  /** Nobody knows whether the log has everything that the states have. */
  private uncertain = false;
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
    /** About how many bytes of memory the task and its content take. */
    private readonly openedBytes: number,
  ) {}

  /** About how many bytes of memory the lane takes, beside what each call does anyway. */
  get bytes(): number {
    return this.openedBytes + this.calls.chars;
  }

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
    const undo = this.advance(batch);
    this.ahead.add(undo);
    try {
      const outcome = await sent;
      if (outcome.kind === 'committed') this.ahead.delete(undo);
      else if (outcome.violations.some((violation) => this.isAhead(violation))) this.uncertain = true;
      return outcome;
    } catch (error) {
      // An overloaded log has taken nothing, nor has any what is too large; after any other error nobody can say.
      if (!(error instanceof LogOverloaded || error instanceof EventTooLarge)) this.uncertain = true;
      throw error;
    } finally {
      this.inFlight -= 1;
      if (this.inFlight === 0) for (const done of this.drained.splice(0)) done();
    }
  }

  whenDrained(): Promise<void> {
    return this.inFlight === 0 ? Promise.resolve() : new Promise((done) => this.drained.push(done));
  }

  /**
   * The lane that takes the place of this one, which was given up and has drained: the same states without what was
   * refused. Undefined where only the log can say what they are.
   */
  rewound(): TaskLane | undefined {
    if (this.uncertain) return undefined;
    for (const undo of [...this.ahead].reverse()) undo();
    const { task, taskRevision, calls, content, key, position, openedBytes } = this;
    return new TaskLane(task, taskRevision, calls, content, key, position, openedBytes);
  }

  /** Somebody else has written to this task: the log knows more than the states do. */
  private isAhead({ stream, expected, actual }: Violation): boolean {
    return (stream === this.callsStream || stream === this.taskStream) && actual > expected;
  }

  private advance(batch: Batch): Undo {
    const undos: Undo[] = [];
    for (const { events } of batch.writes) {
      for (const event of events) {
        if (event.stream === this.callsStream) undos.push(this.advanceCalls(event));
        else if (event.stream === this.taskStream) undos.push(this.advanceTask(event));
      }
    }
    return () => undos.reverse().forEach((undo) => undo());
  }

  private advanceCalls({ event }: SealedEvent): Undo {
    const fact = event as CallsEvent;
    const { callId } = fact.data;
    const { calls, chars, last } = this.calls;
    const before = calls.get(callId);
    const kept = before === undefined ? undefined : { ...before };
    callsDecider.evolve(this.calls, fact);
    return () => {
      this.calls.revision -= 1;
      this.calls.chars = chars;
      // What nothing holds any more must not stand for the next one's.
      if (last === undefined) delete this.calls.last;
      else this.calls.last = last;
      if (kept === undefined) calls.delete(callId);
      else calls.set(callId, kept);
    };
  }

  private advanceTask({ event, revision }: SealedEvent): Undo {
    const fact = event as TaskEvent;
    taskDecider.evolve(this.task, fact);
    this.taskRevision = revision;
    return () => {
      this.taskRevision = revision - 1;
      if (fact.type === 'TaskClosed') this.task.closed = false;
      if (fact.type === 'CallCounted') this.task.counted.get(fact.data.entry)?.delete(fact.data.callId);
    };
  }
}
