import { LogClosed, LogUnavailable } from '../../port.js';
import { ServiceThread } from '../../../threads/service-thread.js';
import { LogOpenError, readErrorOf, startErrorOf, type OpenFailure } from '../shared/errors.js';
import type { Answer, Found, Query } from '../shared/query.js';
import { MAX_POSTED_READS, MAX_WAITING_READS, RESTART_MS, THREAD_LIMITS } from '../shared/settings.js';

interface Waiting {
  readonly resolve: (found: Found) => void;
  readonly reject: (error: LogUnavailable) => void;
}

/** The main thread's side of reading. Each failure is a `LogUnavailable`. */
export class ReadQueue {
  /** Queries are answered in the order in which they were posted. */
  private readonly waiting: Waiting[] = [];
  /** Queries of this turn that have not been posted yet: those that come together are posted and answered together. */
  private readonly unposted: Query[] = [];
  private readonly reader: ServiceThread<readonly Answer[], OpenFailure>;
  private closed = false;

  constructor(path: string) {
    this.reader = new ServiceThread({
      script: new URL('../worker/reader-thread.js', import.meta.url),
      data: { path },
      limits: THREAD_LIMITS,
      restartMs: RESTART_MS,
      startError: startErrorOf,
      onAnswer: (answers) => answers.forEach((answer) => this.settle(answer)),
      onEnd: () => {
        this.unposted.length = 0;
        for (const { reject } of this.waiting.splice(0)) reject(new LogUnavailable('the reader thread died'));
      },
    });
  }

  /** Throws `LogOpenError`. */
  start(): Promise<void> {
    return this.reader.start();
  }

  async find(query: Query): Promise<Found> {
    if (this.closed) throw new LogClosed();
    if (!this.reader.running) await this.revive();
    if (this.waiting.length >= MAX_WAITING_READS) throw new LogUnavailable('too many reads are waiting');
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.unposted.push(query);
      if (this.unposted.length === 1) queueMicrotask(() => this.post());
    });
  }

  /** Ends the reader after it has answered all earlier queries. */
  async close(): Promise<void> {
    this.closed = true;
    await this.reader.close();
  }

  private post(): void {
    while (this.unposted.length > 0) this.reader.post(this.unposted.splice(0, MAX_POSTED_READS));
  }

  private settle(answer: Answer): void {
    const waiting = this.waiting.shift();
    if ('found' in answer) waiting?.resolve(answer.found);
    else waiting?.reject(readErrorOf(answer));
  }

  private async revive(): Promise<void> {
    try {
      await this.reader.start();
    } catch (error) {
      const code = error instanceof LogOpenError ? error.code : 'cannot_open';
      throw new LogUnavailable(`the event log cannot be read: ${code}`);
    }
    if (this.closed || !this.reader.running) throw new LogClosed();
  }
}
