import { Worker } from 'node:worker_threads';
import { CLOSE, type Greeting, type IndexReply, type IndexRequest } from './messages.js';

/** The index cannot answer now: it is being opened or rebuilt, or too much is asked of it. Trying again later helps. */
export class IndexUnavailable extends Error {
  override readonly name = 'IndexUnavailable';
}

/** Requests that may wait for the worker at once. */
const MAX_WAITING = 256;
/** For new objects: hardly any outlives its message, and V8 would take several times as much without being faster. */
const YOUNG_MIB = 12;

interface Waiting {
  readonly resolve: (reply: IndexReply) => void;
  readonly reject: (error: IndexUnavailable) => void;
}

/** The worker thread that has the index's file open. Answers come in the order of the requests. */
export class IndexThread {
  private worker: Worker | undefined;
  private readonly waiting: Waiting[] = [];

  constructor(
    private readonly file: string,
    /** The thread has ended without being asked to. */
    private readonly onDeath: () => void,
  ) {}

  get running(): boolean {
    return this.worker !== undefined;
  }

  /** Starts the thread. Throws `IndexUnavailable` where it cannot open its file. */
  async start(): Promise<void> {
    // An empty environment and no flags: the thread needs neither this process's secrets nor its instrumentation.
    const script = new URL('./worker.js', import.meta.url);
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MIB };
    const worker = new Worker(script, { workerData: this.file, env: {}, execArgv: [], resourceLimits });
    await greetingOf(worker);
    this.worker = worker;
    worker.on('message', (reply: IndexReply) => this.waiting.shift()?.resolve(reply));
    worker.once('exit', () => {
      const asked = this.worker !== worker;
      this.worker = undefined;
      for (const { reject } of this.waiting.splice(0))
        reject(new IndexUnavailable('the thread of the index has ended'));
      if (!asked) this.onDeath();
    });
  }

  ask(request: IndexRequest): Promise<IndexReply> {
    return new Promise((resolve, reject) => {
      if (this.worker === undefined) return reject(new IndexUnavailable('the index is not open'));
      if (this.waiting.length >= MAX_WAITING)
        return reject(new IndexUnavailable('too many requests wait for the index'));
      this.waiting.push({ resolve, reject });
      this.worker.postMessage(request);
    });
  }

  /** Ends the thread once it has answered what was asked before. */
  async close(): Promise<void> {
    const worker = this.worker;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    this.worker = undefined;
    worker.postMessage(CLOSE);
    await ended;
  }
}

/** Waits for the first message. Leaves a listener for errors behind: without one they would end the process. */
function greetingOf(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (code: string) => reject(new IndexUnavailable(`the audit index cannot be opened: ${code}`));
    worker.on('error', () => failed('its thread failed'));
    worker.once('exit', () => failed('its thread ended'));
    worker.once('message', (greeting: Greeting) => (greeting.ready ? resolve() : failed(greeting.code)));
  });
}
