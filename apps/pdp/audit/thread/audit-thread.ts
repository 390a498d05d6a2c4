import { IndexUnavailable } from '../../../../libs/audit/index/reading.js';
import { LogUnavailable } from '../../../../libs/event-log/port.js';
import { KeyringUnavailable } from '../../../../libs/payloads/keyring.js';
import { AskingThread } from '../../../../libs/threads/asking-thread.js';
import { Overloaded, unwrap } from '../../edge/problem.js';
import { err } from '../../../../libs/kernel/result.js';
import type { BundleStep } from './bundle-session.js';
import type { AuditReply, AuditRequest, AuditThreadData, BundleRequest } from './messages.js';

/** Requests that may wait for the thread at once. Fewer arrive: `SALLYPORT_AUDIT_QUERIES` bounds them. */
const MAX_WAITING = 1_024;
/** A thread that died is started again at most this often; in between, requests get an error at once. */
const RESTART_MS = 250;
/** A request that needs more ends the thread, and not the service. */
const LIMITS = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 512 } as const;

/**
 * The main thread's side of the thread that answers auditors. The thread has connections of its own to all stores, and a
 * lower priority: evidence costs decisions nothing but the copying of its bytes to the client.
 */
export class AuditThread {
  private readonly thread: AskingThread<AuditRequest, AuditReply, string>;
  private closed = false;

  constructor(data: AuditThreadData) {
    this.thread = new AskingThread({
      script: new URL('./worker.js', import.meta.url),
      data,
      limits: LIMITS,
      restartMs: RESTART_MS,
      startError: () => unavailable('the thread that reads evidence cannot start'),
      lost: () => unavailable('the thread that reads evidence has ended: ask again'),
    });
  }

  /** Throws `LogUnavailable` if the thread cannot open its files. */
  start(): Promise<void> {
    return this.thread.start();
  }

  /**
   * The answer, in UTF-8. A thread that died is started again. Throws `Problem`, `LogUnavailable`, `KeyringUnavailable`,
   * `IndexUnavailable`.
   */
  async ask(request: AuditRequest): Promise<Extract<AuditReply, { kind: 'answer' }>> {
    const reply = await this.exchange(request);
    if (reply.kind === 'answer') return reply;
    if (reply.kind === 'refused') return unwrap(err(reply.refusal));
    throw reply.kind === 'failed' ? errorOf(reply) : new TypeError('the answer of another request');
  }

  /** Begins, continues or ends an export. Throws as `ask` does. */
  async step(request: BundleRequest): Promise<BundleStep> {
    const reply = await this.exchange(request);
    if (reply.kind === 'step') return reply.step;
    throw reply.kind === 'failed' ? errorOf(reply) : new TypeError('the answer of another request');
  }

  private async exchange(request: AuditRequest): Promise<AuditReply> {
    if (this.closed) throw unavailable('the service is shutting down');
    if (!this.thread.running) await this.thread.start();
    if (this.thread.waiting >= MAX_WAITING) throw new Overloaded('audits', 'too many audit queries are under way');
    return this.thread.ask(request);
  }

  /** Ends the thread after it has answered all earlier requests. */
  async close(): Promise<void> {
    this.closed = true;
    await this.thread.close();
  }
}

const unavailable = (detail: string) => new LogUnavailable(detail);

function errorOf({ failure, detail }: Extract<AuditReply, { kind: 'failed' }>): Error {
  switch (failure) {
    case 'log':
      return new LogUnavailable(detail);
    case 'keys':
      return new KeyringUnavailable(detail);
    case 'index':
      return new IndexUnavailable(detail);
  }
}
