import { AskingThread } from '../../threads/asking-thread.js';
import type { IndexReply, IndexRequest } from './messages.js';
import { IndexUnavailable } from './reading.js';

/** Requests that may wait for the thread at once. */
const MAX_WAITING = 256;
/** Limits for new objects: few outlive their message, and V8 would by default take several times as much memory. */
const LIMITS = { maxYoungGenerationSizeMb: 12 } as const;

/** The main thread's side of the thread that has the file of the index open. */
export class IndexThread {
  private readonly thread: AskingThread<IndexRequest, IndexReply, string>;
  private closed = false;

  /** `onDeath` is called if the thread ends before `close` is called. */
  constructor(file: string, onDeath: () => void) {
    this.thread = new AskingThread({
      script: new URL('./worker.js', import.meta.url),
      data: file,
      limits: LIMITS,
      startError: (code) => new IndexUnavailable(`the audit index cannot be opened: ${code ?? 'its thread ended'}`),
      lost: () => new IndexUnavailable('the thread of the index has ended'),
      onEnd: () => {
        if (!this.closed) onDeath();
      },
    });
  }

  get running(): boolean {
    return this.thread.running;
  }

  /** Throws `IndexUnavailable` if the thread cannot open its file. */
  start(): Promise<void> {
    return this.thread.start();
  }

  /** Throws `IndexUnavailable`. */
  async ask(request: IndexRequest): Promise<IndexReply> {
    if (this.closed || !this.thread.running) throw new IndexUnavailable('the index is not open');
    if (this.thread.waiting >= MAX_WAITING) throw new IndexUnavailable('too many requests wait for the index');
    return this.thread.ask(request);
  }

  /** Ends the thread after it has answered all earlier requests. */
  async close(): Promise<void> {
    this.closed = true;
    await this.thread.close();
  }
}
