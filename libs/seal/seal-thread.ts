import type { Worker } from 'node:worker_threads';
import { startWorker, type WorkerScript } from '../threads/start-worker.js';
import type { AnswerTo, FromSealer, Sealing, SealQuery, SealStatus, ToSealer } from './messages.js';
import { SealFault } from './fault.js';

/** The sealer cannot answer now. A later try may succeed. */
export class SealUnavailable extends Error {
  override readonly name = 'SealUnavailable';
}

/** Queries that may wait for the thread at once. */
const MAX_WAITING = 256;
/** A query waits at most this long, in milliseconds: a checkpoint may be on its way to a slow disk. */
const ASK_MS = 5_000;
/** A stop waits at most this long for the last checkpoint, in milliseconds. */
const CLOSE_MS = 3_000;
/** A thread that ended is started again after this time, in milliseconds. */
const RESTART_MS = 1_000;

export interface SealThreadOptions extends WorkerScript {
  /** Appends a checkpoint to the stream `seal`. Answers why it was not appended, in one line. Never rejects. */
  readonly append: (revision: number, data: Sealing) => Promise<string | undefined>;
  /** Sealing or its witness fails for a new reason, or works again. */
  readonly onTrouble: (trouble: string | undefined) => void;
  readonly nowMs: () => number;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: SealUnavailable) => void;
}

const NOTHING_YET: SealStatus = {
  size: 0,
  root: undefined,
  events: 0,
  head: 0,
  unsealedSinceMs: undefined,
  trouble: undefined,
};

/** The main thread's side of the sealer. */
export class SealThread {
  private worker: Worker | undefined;
  private restart: NodeJS.Timeout | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private ids = 0;
  private current = NOTHING_YET;
  private closed = false;
  /** The name of the log in its checkpoints. */
  origin = '';
  /** One line if the witness is new, or has not seen a restore of the log. */
  notice: string | undefined;

  constructor(private readonly options: SealThreadOptions) {}

  /** Throws `SealFault` if the log is not the one that its witness or its key knows. */
  async start(): Promise<void> {
    const greeted = Promise.withResolvers<void>();
    const worker = startWorker<FromSealer>(this.options, {
      onMessage: (message) => {
        if (message.kind === 'refused') return greeted.reject(new SealFault(message.reason));
        if (message.kind !== 'ready') return this.take(worker, message);
        this.origin = message.origin;
        this.notice = message.notice;
        this.current = message.status;
        greeted.resolve();
      },
      onEnd: (error) => {
        greeted.reject(new SealFault(`the thread that seals ended: ${error?.message ?? 'without a word'}`));
        if (this.worker === worker) this.ended();
      },
    });
    await greeted.promise;
    this.worker = worker;
  }

  get status(): SealStatus {
    return this.current;
  }

  /** For how long the oldest event waits for its checkpoint, in seconds; 0 if none waits. */
  get lagSeconds(): number {
    const { unsealedSinceMs } = this.current;
    return unsealedSinceMs === undefined ? 0 : Math.max(0, this.options.nowMs() - unsealedSinceMs) / 1000;
  }

  /** Throws `SealUnavailable`. */
  async ask<const Query extends SealQuery>(query: Query): Promise<AnswerTo<Query>> {
    if (this.closed || this.worker === undefined) throw new SealUnavailable('the sealer does not run');
    if (this.waiting.size >= MAX_WAITING) throw new SealUnavailable('too many requests wait for the sealer');
    const id = (this.ids += 1);
    const answered = Promise.withResolvers<unknown>();
    this.waiting.set(id, answered);
    const late = setTimeout(() => answered.reject(new SealUnavailable('the sealer is busy')), ASK_MS);
    this.post({ kind: 'ask', id, query });
    try {
      return (await answered.promise) as AnswerTo<Query>;
    } finally {
      clearTimeout(late);
      this.waiting.delete(id);
    }
  }

  /** Seals what is not sealed yet, then ends the thread. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.restart);
    const { worker } = this;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const late = setTimeout(() => void worker.terminate(), CLOSE_MS);
    this.post({ kind: 'close' });
    await ended;
    clearTimeout(late);
  }

  private take(worker: Worker, message: Exclude<FromSealer, { kind: 'ready' | 'refused' }>): void {
    switch (message.kind) {
      case 'append':
        return void this.options
          .append(message.revision, message.data)
          .then((failure) => worker.postMessage({ kind: 'appended', failure } satisfies ToSealer));
      case 'status': {
        const before = this.current.trouble;
        this.current = message.status;
        if (message.status.trouble !== before) this.options.onTrouble(message.status.trouble);
        return;
      }
      default: {
        const { id, answer, failure } = message;
        const waiting = this.waiting.get(id);
        if (failure === undefined) waiting?.resolve(answer);
        else waiting?.reject(new SealUnavailable(failure));
      }
    }
  }

  private ended(): void {
    this.worker = undefined;
    for (const { reject } of this.waiting.values()) reject(new SealUnavailable('the thread that seals has ended'));
    if (this.closed) return;
    const trouble = 'the thread that seals has ended';
    this.current = { ...this.current, unsealedSinceMs: this.current.unsealedSinceMs ?? this.options.nowMs(), trouble };
    this.options.onTrouble(trouble);
    this.restart = setTimeout(() => void this.start().catch(() => this.ended()), RESTART_MS);
  }

  private post(message: ToSealer): void {
    this.worker?.postMessage(message);
  }
}
