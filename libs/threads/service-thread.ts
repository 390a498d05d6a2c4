import type { Worker } from 'node:worker_threads';
import { CLOSE, type Greeting } from './serve.js';
import { startWorker, type WorkerScript } from './start-worker.js';

export interface ServiceThreadOptions<Answer, Reason> extends WorkerScript {
  onAnswer(answer: Answer): void;
  /** The thread has ended: requests that it has not answered are lost. */
  onEnd(): void;
  /** The error of a start that failed. `reason` is what the thread said, undefined if it ended without a word. */
  readonly startError: (reason: Reason | undefined) => Error;
  /** For this long after a failed start, `start` throws the same error at once; 0 if not given. */
  readonly restartMs?: number;
}

/**
 * A worker thread whose script calls `serve`. Answers arrive in the order of the requests. After its end, the next
 * `start` starts another one.
 */
export class ServiceThread<Answer, Reason> {
  private worker: Worker | undefined;
  private starting: Promise<void> | undefined;
  private failure: { readonly error: Error; readonly atMs: number } | undefined;

  constructor(private readonly options: ServiceThreadOptions<Answer, Reason>) {}

  /** Whether messages can be posted. */
  get running(): boolean {
    return this.worker !== undefined;
  }

  /**
   * Starts the thread unless it is running. Throws `startError`; callers that keep coming do not turn into a loop of
   * starts, because a failed start is remembered for `restartMs`.
   */
  async start(): Promise<void> {
    if (this.worker !== undefined) return;
    const { restartMs = 0 } = this.options;
    if (this.failure !== undefined && performance.now() - this.failure.atMs < restartMs) throw this.failure.error;
    this.starting ??= this.launch().finally(() => (this.starting = undefined));
    await this.starting;
  }

  /** Has no effect if the thread is not running. */
  post(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    this.worker?.postMessage(message, transfer);
  }

  /** Ends the thread after it has answered all earlier requests. */
  async close(): Promise<void> {
    await this.starting?.catch(() => undefined);
    const { worker } = this;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    this.post(CLOSE);
    await ended;
  }

  private async launch(): Promise<void> {
    const { startError } = this.options;
    const greeted = Promise.withResolvers<void>();
    const worker = startWorker<unknown>(this.options, {
      onMessage: (message) => {
        if (this.worker === worker) return this.options.onAnswer(message as Answer);
        const greeting = message as Greeting<Reason>;
        if (!greeting.ready) return greeted.reject(startError(greeting.reason));
        this.worker = worker;
        greeted.resolve();
      },
      onEnd: () => {
        greeted.reject(startError(undefined));
        if (this.worker !== worker) return;
        this.worker = undefined;
        this.options.onEnd();
      },
    });
    try {
      await greeted.promise;
      this.failure = undefined;
    } catch (error) {
      this.failure = { error: error as Error, atMs: performance.now() };
      throw error;
    }
  }
}
