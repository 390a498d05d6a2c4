import { checkBatch } from '../../batch.js';
import { LogClosed, LogOverloaded, type AppendOutcome, type Batch, type Recall } from '../../port.js';
import type { Committed } from '../../tail.js';
import { placeMemory } from '../../../sqlite-file/place-guard.js';
import { ServiceThread } from '../../../threads/service-thread.js';
import { ClaimCells } from '../shared/claims.js';
import { codeOf, LogOpenError, startErrorOf, type OpenFailure } from '../shared/errors.js';
import { encodeGroup } from '../shared/group-message.js';
import { decodeOutcomes, type Outcomes } from '../shared/outcome-message.js';
import type { WriterOptions, WriterThreadOptions } from '../worker/schema.js';
import {
  MAX_POSTED_BYTES,
  MAX_URGENT_BATCHES,
  POST_FROM_EVENTS,
  RESTART_MS,
  THREAD_LIMITS,
} from '../shared/settings.js';
import { partedOf, WaitingAppends, type Entry, type Waiting } from './waiting-appends.js';

export interface AppendBounds {
  readonly maxQueuedBatches: number;
  readonly maxQueuedBytes: number;
}

/** Counts since the log was opened, and what waits now. */
export interface AppendStats {
  readonly queuedBatches: number;
  readonly queuedBytes: number;
  /** Groups that the writer was given: at most one transaction and one fsync each. */
  readonly groups: number;
  readonly committed: number;
  readonly refused: number;
  readonly unwritten: number;
  readonly unknown: number;
  /** Times that the writer thread died. */
  readonly deaths: number;
}

/**
 * Group commit, the main thread's side. Appends of one turn of the event loop go to the writer together. While it
 * commits, the next ones are posted as soon as they are worth a transaction of their own. Only a little is posted at a
 * time, because urgent appends go before all that are not posted yet.
 */
export class AppendQueue {
  private readonly waiting = new WaitingAppends();
  private readonly posted: Entry[][] = [];
  /** The writer counts on from the tokens that the log holds. */
  private lastToken = 0;
  private readonly writer: ServiceThread<Outcomes, OpenFailure>;
  private readonly claims: ClaimCells;
  private readonly counts = { groups: 0, committed: 0, refused: 0, unwritten: 0, unknown: 0, deaths: 0 };
  private queuedBatches = 0;
  private queuedBytes = 0;
  private queuedUrgent = 0;
  private postedBytes = 0;
  private flushOrdered = false;
  private closed = false;
  /** The last write failed. */
  private failing = false;
  private drained: (() => void) | undefined;

  constructor(
    options: WriterOptions,
    private readonly bounds: AppendBounds,
    /** In the order of the log; undefined if it is not known what was appended, if anything. */
    private readonly onAppended: (committed: readonly Committed[] | undefined) => void,
    private readonly onWriting: (failure: string | undefined) => void = () => undefined,
  ) {
    this.claims = new ClaimCells(bounds.maxQueuedBatches + MAX_URGENT_BATCHES);
    const threadOptions: WriterThreadOptions = { ...options, claims: this.claims.shared, place: placeMemory() };
    this.writer = new ServiceThread({
      script: new URL('../worker/writer-thread.js', import.meta.url),
      data: threadOptions,
      limits: THREAD_LIMITS,
      restartMs: RESTART_MS,
      startError: startErrorOf,
      onAnswer: (outcomes) => this.onAnswer(outcomes),
      onEnd: () => this.onEnd(),
    });
  }

  /** Throws `LogOpenError`. */
  start(): Promise<void> {
    return this.writer.start();
  }

  get stats(): AppendStats {
    return { queuedBatches: this.queuedBatches, queuedBytes: this.queuedBytes, ...this.counts };
  }

  async append(batch: Batch, recall?: Recall): Promise<AppendOutcome> {
    if (this.closed) throw new LogClosed();
    const weight = checkBatch(batch);
    this.refuseIfFull(batch, weight);
    this.queuedBatches += 1;
    this.queuedBytes += weight;
    if (batch.urgent === true) this.queuedUrgent += 1;
    const cell = this.claims.open();
    const parted = partedOf(batch, () => (this.lastToken += 1));
    let answered = false;
    if (recall !== undefined) {
      recall.takeBack = () => {
        const isTakenBack = !answered && this.claims.takeBack(cell);
        if (parted !== undefined && isTakenBack) parted.isTakenBack = true;
        return isTakenBack;
      };
    }
    return new Promise((settle) => {
      const resolve = (outcome: AppendOutcome): void => {
        answered = true;
        settle(outcome);
      };
      this.waiting.add({ batch, weight, cell, resolve, parted });
      this.pump();
    });
  }

  /** Urgent appends have room of their own: other load never keeps them out. */
  private refuseIfFull({ urgent }: Batch, weight: number): void {
    if (urgent === true && this.queuedUrgent < MAX_URGENT_BATCHES) return;
    if (this.queuedBatches >= this.bounds.maxQueuedBatches) throw new LogOverloaded('too many appends are waiting');
    // An empty queue takes any batch, so that no batch is too large for it.
    if (this.queuedBatches > 0 && this.queuedBytes + weight > this.bounds.maxQueuedBytes) {
      throw new LogOverloaded('too many bytes are waiting to be appended');
    }
  }

  /** Refuses further appends, and finishes those that are queued. */
  async drain(): Promise<void> {
    this.closed = true;
    if (this.queuedBatches > 0) await new Promise<void>((resolve) => (this.drained = resolve));
  }

  /** Ends the writer; to be called after `drain`. */
  close(): Promise<void> {
    return this.writer.close();
  }

  /** Reports a failure of the store, and the first commit after one. */
  private noteWriting(outcome: AppendOutcome): void {
    if (outcome.kind === 'unknown' || outcome.kind === 'unwritten') {
      // The caller took the batch back, or another failure has lost its parts.
      if (outcome.cause === 'TAKEN_BACK' || outcome.cause === 'PARTS_LOST') return;
      this.failing = true;
      this.onWriting(outcome.cause);
    } else if (this.failing && outcome.kind === 'committed') {
      // Also of mere checks: after a failure, the file has taken a write before anything is answered.
      this.failing = false;
      this.onWriting(undefined);
    }
  }

  private pump(): void {
    if (!this.writer.running) return this.revive();
    if (this.waiting.events >= POST_FROM_EVENTS || this.waiting.startsUrgently) return this.postWaiting();
    if (this.posted.length > 0 || this.flushOrdered || this.waiting.length === 0) return;
    this.flushOrdered = true;
    setImmediate(() => {
      this.flushOrdered = false;
      // The writer may have died in the meantime.
      if (!this.writer.running) this.revive();
      else if (this.posted.length === 0) this.postWaiting();
    });
  }

  private revive(): void {
    if (this.waiting.length === 0 || this.flushOrdered) return;
    this.flushOrdered = true;
    this.writer
      .start()
      .then(
        () => this.postWaiting(),
        (error: unknown) => this.giveUp(this.waiting.takeAll(), openCauseOf(error)),
      )
      .finally(() => {
        this.flushOrdered = false;
        this.pump();
      });
  }

  private postWaiting(): void {
    while (this.waiting.length > 0 && this.writer.running && this.hasRoom()) {
      const group = this.waiting.takeGroup();
      const { text, numbers, bytes, shared } = encodeGroup(
        group.map(({ append: { batch, cell, parted }, part }) =>
          part ? { part } : { batch, cell, token: parted?.token },
        ),
      );
      this.posted.push(group);
      this.postedBytes += weightOf(group);
      this.counts.groups += 1;
      this.writer.post({ text, numbers, bytes, shared }, [bytes.buffer, numbers.buffer]);
    }
  }

  /** Whether the writer is to be given more than it has. */
  private hasRoom(): boolean {
    return this.posted.length === 0 || this.postedBytes < MAX_POSTED_BYTES || this.waiting.startsUrgently;
  }

  /** The writer has answered a group. */
  private onAnswer(outcomes: Outcomes): void {
    const group = this.posted.shift() ?? [];
    this.postedBytes -= weightOf(group);
    const settled: Waiting[] = [];
    const known: AppendOutcome[] = [];
    for (const [index, outcome] of decodeOutcomes(outcomes).entries()) {
      const { append, part } = group[index] ?? {};
      if (append === undefined) continue;
      // If a part was not written, its batch fails. A batch that the writer has already fails there.
      if (part !== undefined && (outcome.kind === 'committed' || !this.waiting.remove(append))) continue;
      settled.push(append);
      known.push(outcome);
    }
    this.settle(settled, known);
  }

  private onEnd(): void {
    const posted = this.posted.splice(0).flat();
    const lost = [...posted.flatMap(({ append, part }) => (part ? [] : append)), ...this.waiting.takeAll()];
    this.postedBytes = 0;
    if (lost.length > 0 || !this.closed) this.counts.deaths += 1;
    // Appends that were not posted are given up too: they may depend on posted ones, whose fate has to be learnt first.
    this.giveUp(lost, 'WRITER_DIED');
  }

  private giveUp(group: readonly Waiting[], cause: string): void {
    this.settle(
      group,
      group.map(() => ({ kind: 'unknown', cause })),
    );
  }

  private settle(group: readonly Waiting[], outcomes: readonly AppendOutcome[]): void {
    const committed: Committed[] = [];
    let unknown = false;
    for (const [index, { batch, weight, cell, resolve }] of group.entries()) {
      const told = outcomes[index] ?? { kind: 'unknown', cause: 'NO_ANSWER' };
      // If the writer has not taken the batch, it can no longer be written.
      const outcome: AppendOutcome =
        told.kind === 'unknown' && !this.claims.isTaken(cell) ? { ...told, kind: 'unwritten' } : told;
      this.claims.close(cell);
      this.queuedBatches -= 1;
      this.queuedBytes -= weight;
      if (batch.urgent === true) this.queuedUrgent -= 1;
      this.counts[outcome.kind] += 1;
      this.noteWriting(outcome);
      // It may have been written.
      if (outcome.kind === 'unknown') unknown = true;
      else if (outcome.kind === 'committed' && batch.writes.length > 0) {
        committed.push({ writes: batch.writes, position: outcome.position });
      }
      resolve(outcome);
    }
    if (unknown) this.onAppended(undefined);
    else if (committed.length > 0) this.onAppended(committed);
    this.pump();
    if (this.queuedBatches === 0) this.drained?.();
  }
}

const weightOf = (group: readonly Entry[]): number =>
  group.reduce((sum, { append, part }) => sum + (part?.bytes.byteLength ?? (append.parted ? 0 : append.weight)), 0);

function openCauseOf(error: unknown): string {
  return error instanceof LogOpenError ? `OPEN_${error.code.toUpperCase()}` : codeOf(error);
}
