import { Worker } from 'node:worker_threads';
import { LogOpenError } from '../shared/errors.js';
import { RESTART_MS, YOUNG_MIB } from '../shared/settings.js';
import { CLOSE, type Greeting } from '../worker/serve.js';

/** Told of what a worker thread answers, and of its death: all that was posted to it and not answered is lost. */
export interface ThreadOwner<Answer> {
  onAnswer(answer: Answer): void;
  onDeath(): void;
}

/** A worker thread of this adapter; after a death it is started again by the next `start`. */
export class Thread<Answer> {
  private worker: Worker | undefined;
  private starting: Promise<void> | undefined;
  private failure: { readonly error: LogOpenError; readonly atMs: number } | undefined;

  constructor(
    private readonly script: URL,
    private readonly options: unknown,
    private readonly owner: ThreadOwner<Answer>,
  ) {}

  /** True where messages can be posted. */
  get running(): boolean {
    return this.worker !== undefined;
  }

  /**
   * Starts the thread unless it runs. Throws `LogOpenError` where it cannot open the log, and for a short while
   * afterwards the same error at once: callers that keep coming must not turn into a loop of starts.
   */
  async start(): Promise<void> {
    if (this.worker !== undefined) return;
    if (this.failure !== undefined && performance.now() - this.failure.atMs < RESTART_MS) throw this.failure.error;
    this.starting ??= this.launch().finally(() => (this.starting = undefined));
    await this.starting;
  }

  post(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    this.worker?.postMessage(message, transfer);
  }

  /** Ends the thread once it has answered what was posted before. */
  async close(): Promise<void> {
    await this.starting?.catch(() => undefined);
    const worker = this.worker;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    this.post(CLOSE);
    await ended;
  }

  private async launch(): Promise<void> {
    // An empty environment and no flags: the thread needs neither this process's secrets nor its instrumentation.
    const worker = new Worker(this.script, {
      workerData: this.options,
      env: {},
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    try {
      await greetingOf(worker);
    } catch (error) {
      const cause = error instanceof LogOpenError ? error : new LogOpenError('cannot_open', 'a worker thread ended');
      this.failure = { error: cause, atMs: performance.now() };
      throw cause;
    }
    this.failure = undefined;
    this.worker = worker;
    worker.on('message', (answer: Answer) => this.owner.onAnswer(answer));
    worker.once('exit', () => {
      this.worker = undefined;
      this.owner.onDeath();
    });
  }
}

/** Waits for the first message. Leaves a listener for errors behind: without one they would end the process. */
function greetingOf(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.once('exit', () => reject(new LogOpenError('cannot_open', 'a worker thread ended while it started')));
    worker.once('message', (greeting: Greeting) => {
      if (greeting.ready) resolve();
      else reject(new LogOpenError(greeting.code, greeting.message));
    });
  });
}
