import type { KeyObject } from 'node:crypto';
import { approvalOf, approvalsBefore, contentDigestOf, isAboutApprovals, wordKey } from '../calls/approvals.js';
import { callsDecider, type CallsEvent, type CallsState } from '../calls/decider.js';
import type { TaskCalls } from '../decision/snapshot.js';
import { EventTooLarge } from '../event-log/batch.js';
import type { SealedEvent } from '../event-log/event.js';
import { LogOverloaded, type Batch, type Violation } from '../event-log/port.js';
import type { SettledLog, SettledOutcome } from '../event-log/settled.js';
import type { TaskContent } from '../task/content.js';
import { PUBLIC, type ContentLabel } from '../content/filter/label.js';
import { taskDecider, type TaskEvent, type TaskState } from '../task/decider.js';
import { bytesOfLabel, joinOfTwo, TaskFlow, type EarlierContent } from './task-flow.js';

/** Adds what a batch delivers or admits to what the task has seen. Labels stay even if the batch is refused. */
export type Seen = (lane: Pick<TaskLane, 'flow' | 'labelResponse'>) => void;

type Undo = () => void;

/** Approximate memory of a response's label and of content that is not read yet, in bytes. */
const LABEL_BYTES = 120;
const UNREAD_BYTES = 240;

/**
 * One task with its calls, as seen by the process that serves it. Appends are pipelined, so the states are ahead of the
 * log by the batches in flight. Each append expects the exact revision, so a refused append has all later ones refused
 * too. Then the lane is given up: the next caller waits until nothing is in flight. It gets a lane without the refused
 * batches.
 */
export class TaskLane {
  inFlight = 0;
  /** Set once the lane no longer agrees with the log. Its holder gets another lane before it decides. */
  givenUp = false;
  /** Undo steps of batches that are not committed yet or were refused, in the order of sending. */
  private readonly ahead = new Set<Undo>();
  /** Set if it is unknown whether the log has everything that the states have. */
  private uncertain = false;
  private drained: (() => void)[] = [];
  /** Bytes of this lane that its holders have counted so far. */
  countedBytes = 0;
  /** The reading of `unread`, while it runs. */
  reading: Promise<void> | undefined;
  private unreadContent: readonly EarlierContent[];
  private unreadBytes: number;
  private readonly labels: Map<string, ContentLabel>;
  private labelBytes = 0;

  constructor(
    readonly task: TaskState,
    public taskRevision: number,
    readonly calls: CallsState,
    readonly content: TaskContent,
    /** Encrypts the task's payload records and keys its request digests. */
    readonly key: KeyObject,
    /** Position of the task's TaskOpened. */
    readonly position: bigint,
    /** Approximate memory of the task and its content, in bytes. */
    private readonly openedBytes: number,
    /** The content that the task has seen. */
    readonly flow = new TaskFlow(),
    unread: readonly EarlierContent[] = [],
    responseLabels: ReadonlyMap<string, ContentLabel> = new Map(),
  ) {
    this.unreadContent = unread;
    this.unreadBytes = bytesOfAll(unread);
    this.labels = new Map(responseLabels);
    for (const label of responseLabels.values()) this.labelBytes += LABEL_BYTES + bytesOfLabel(label);
  }

  /** Labels of delivered responses, by the ids of their calls. */
  get responseLabels(): ReadonlyMap<string, ContentLabel> {
    return this.labels;
  }

  /** Earlier content whose fingerprints are not in `flow` yet. */
  get unread(): readonly EarlierContent[] {
    return this.unreadContent;
  }

  set unread(unread: readonly EarlierContent[]) {
    this.unreadContent = unread;
    this.unreadBytes = bytesOfAll(unread);
  }

  labelResponse(callId: string, label: ContentLabel): void {
    const known = this.labels.get(callId);
    const joined = known === undefined ? label : joinOfTwo(known, label);
    this.labels.set(callId, joined);
    this.labelBytes += bytesOfLabel(joined) - (known === undefined ? -LABEL_BYTES : bytesOfLabel(known));
  }

  /** Approximate memory of the lane in bytes, without the fixed size of each call. */
  get bytes(): number {
    return this.openedBytes + this.calls.chars + this.flow.bytes + this.unreadBytes + this.labelBytes;
  }

  /** The facts of earlier calls that the next decision needs, live. */
  get earlier(): TaskCalls {
    const { key, calls } = this;
    return {
      taintedAt: calls.taintedAt,
      approvalOf: (call, version) => approvalOf(calls.approvals, contentDigestOf(key, { ...call, version })),
      wordUse: (word) => calls.approvals.words.get(wordKey(word)),
    };
  }

  get callsStream(): string {
    return `calls-${this.task.taskId}`;
  }

  get taskStream(): string {
    return `task-${this.task.taskId}`;
  }

  /**
   * Sends a batch and applies it to the states ahead of the log, and `beside` to what the task has seen. Throws what the
   * log throws. Use `TaskLanes.commit` instead.
   */
  async send(log: SettledLog, batch: Batch, beside?: Seen): Promise<SettledOutcome> {
    const sent = log.append(batch);
    this.inFlight += 1;
    const undo = this.advance(batch, beside);
    this.ahead.add(undo);
    try {
      const outcome = await sent;
      if (outcome.kind === 'committed') this.ahead.delete(undo);
      else if (outcome.violations.some((violation) => this.isAhead(violation))) this.uncertain = true;
      return outcome;
    } catch (error) {
      // An overloaded log and a batch that is too large leave the log unchanged. After any other error the result is
      // unknown.
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
   * The successor of this lane, which was given up and has drained: the same states without the refused batches.
   * Undefined if the task must be loaded from the log.
   */
  rewound(): TaskLane | undefined {
    // Shredded content must not stay in memory.
    if (this.uncertain || this.task.shredded) return undefined;
    for (const undo of [...this.ahead].reverse()) undo();
    const { task, taskRevision, calls, content, key, position, openedBytes, flow, unread, responseLabels } = this;
    return new TaskLane(task, taskRevision, calls, content, key, position, openedBytes, flow, unread, responseLabels);
  }

  /** Another writer has written to this task: the log knows more than the states. */
  private isAhead({ stream, expected, actual }: Violation): boolean {
    return (stream === this.callsStream || stream === this.taskStream) && actual > expected;
  }

  private advance(batch: Batch, beside: Seen | undefined): Undo {
    beside?.(this);
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
    const { calls, chars, last, approvals, taintedAt } = this.calls;
    const before = calls.get(callId);
    const kept = before === undefined ? undefined : { ...before };
    const restoreApprovals = isAboutApprovals(fact) ? approvalsBefore(approvals, fact) : undefined;
    callsDecider.evolve(this.calls, fact);
    return () => {
      this.calls.revision -= 1;
      this.calls.chars = chars;
      this.calls.taintedAt = taintedAt;
      restoreApprovals?.();
      // A refused decision must not stay as `last`, whose equal parts the next decision shares.
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
      if (fact.type === 'TaskShredded') this.task.shredded = false;
      if (fact.type === 'CallCounted') this.task.counted.get(fact.data.entry)?.delete(fact.data.callId);
    };
  }
}

const bytesOfAll = (unread: readonly EarlierContent[]): number =>
  unread.reduce(
    (bytes, { label = PUBLIC, items = [] }) =>
      bytes +
      UNREAD_BYTES +
      bytesOfLabel(label) +
      items.reduce((sum, item) => sum + LABEL_BYTES + bytesOfLabel(item), 0),
    0,
  );
