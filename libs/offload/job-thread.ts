import { setTimeout as pause } from 'node:timers/promises';
import type { Transferable, Worker } from 'node:worker_threads';
import { startWorker } from '../threads/start-worker.js';
import type { JobMessage } from './serve-jobs.js';

/**
 * The outcome of a job. `too_costly`: it exceeded its processor time, its time on the clock, or its memory; `died`: an error ended its thread.
 * `part` is what it had emitted before.
 */
export type Finished =
  | { readonly kind: 'done'; readonly value: unknown; readonly part: unknown }
  | { readonly kind: 'failed'; readonly why: 'too_costly' | 'died'; readonly part: unknown };

export interface ThreadLimits {
  /** Processor time of one job, in milliseconds. */
  readonly timeLimitMs: number;
  readonly heapMb: number;
}

interface Run {
  readonly startedMs: number;
  readonly settle: (finished: Finished) => void;
  timer: NodeJS.Timeout | undefined;
  cpuMs?: number;
  part?: unknown;
}

/** A job may take this many times its processor time limit on the clock: its thread is not alone on the machine. */
export const MAX_CLOCK = 6;
const YOUNG_MB = 16;
const OUT_OF_MEMORY = 'ERR_WORKER_OUT_OF_MEMORY';

/** One worker thread that does one job at a time, and is replaced after a job that ended it. */
export class JobThread {
  private worker: Worker | undefined;
  /** Threads that were given up and have not ended yet. */
  private readonly ending = new Set<Promise<unknown>>();
  private current: Run | undefined;

  constructor(
    private readonly script: URL,
    private readonly limits: ThreadLimits,
  ) {}

  /** To be called again only after the last job has been settled. Never rejects. */
  run(job: unknown, transfer: readonly Transferable[]): Promise<Finished> {
    return new Promise((settle) => {
      const worker = (this.worker ??= this.start());
      this.current = { startedMs: performance.now(), settle, timer: undefined };
      this.judgeIn(this.current, worker, this.limits.timeLimitMs);
      try {
        worker.postMessage(job, [...transfer]);
      } catch {
        // A job that cannot be sent fails like a job whose thread has ended.
        this.settle({ kind: 'failed', why: 'died', part: undefined });
      }
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.worker?.terminate(), ...this.ending]);
  }

  private start(): Worker {
    const worker = startWorker<JobMessage>(
      {
        script: this.script,
        limits: { maxOldGenerationSizeMb: this.limits.heapMb, maxYoungGenerationSizeMb: YOUNG_MB },
      },
      {
        onMessage: (message) => this.onMessage(worker, message),
        onEnd: (error) => {
          if (this.worker !== worker) return;
          this.worker = undefined;
          const why = error?.code === OUT_OF_MEMORY ? 'too_costly' : 'died';
          this.settle({ kind: 'failed', why, part: this.current?.part });
        },
      },
    );
    worker.unref();
    return worker;
  }

  private onMessage(worker: Worker, message: JobMessage): void {
    const run = this.current;
    // Messages of a thread that was given up belong to no job.
    if (run === undefined || this.worker !== worker) return;
    if (message.kind === 'begun') run.cpuMs = message.cpuMs;
    else if (message.kind === 'part') run.part = message.value;
    else this.settle({ kind: 'done', value: message.value, part: run.part });
  }

  private settle(finished: Finished): void {
    const run = this.current;
    if (run === undefined) return;
    this.current = undefined;
    clearTimeout(run.timer);
    run.settle(finished);
  }

  private judgeIn(run: Run, worker: Worker, ms: number): void {
    run.timer = setTimeout(() => void this.judge(run, worker), ms);
  }

  /**
   * Ends a job that has used up its time. Only the processor time of its own thread counts, because others may be busy
   * too.
   */
  private async judge(run: Run, worker: Worker): Promise<void> {
    const { timeLimitMs } = this.limits;
    const used = worker.cpuUsage().catch(() => undefined);
    // A thread within one long native call answers later.
    const usage = await Promise.race([used, pause(1000, undefined, { ref: false })]);
    if (this.current !== run) return;
    const spentMs = usage === undefined || run.cpuMs === undefined ? 0 : (usage.user + usage.system) / 1000 - run.cpuMs;
    if (spentMs < timeLimitMs && performance.now() - run.startedMs < MAX_CLOCK * timeLimitMs)
      return this.judgeIn(run, worker, Math.max(timeLimitMs - spentMs, 20));
    // The next job gets a new thread: this one may still answer before it ends.
    this.worker = undefined;
    const ended = worker.terminate().finally(() => this.ending.delete(ended));
    this.ending.add(ended);
    this.settle({ kind: 'failed', why: 'too_costly', part: run.part });
  }
}
