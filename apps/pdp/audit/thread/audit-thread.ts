import { IndexUnavailable } from '../../../../libs/audit/index/reading.js';
import { LogUnavailable, type DamagedPlace } from '../../../../libs/event-log/port.js';
import { KeyringUnavailable } from '../../../../libs/payloads/keyring.js';
import { Turns } from '../../../../libs/offload/turns.js';
import { AskingThread } from '../../../../libs/threads/asking-thread.js';
import { unwrap } from '../../edge/problem.js';
import { err } from '../../../../libs/kernel/result.js';
import type { BundleStep } from './bundle-session.js';
import type { AuditReply, AuditRequest, AuditThreadData, BundleRequest } from './messages.js';

/** Requests that the thread has at once: the next one is there when it has answered one. */
const AT_ONCE = 2;
/** A thread that died is started again at most this often; in between, requests get an error at once. */
const RESTART_MS = 250;
/** A request that needs more ends the thread, and not the service. */
const LIMITS = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 512 } as const;

/**
 * The main thread's side of the thread that answers auditors. The thread has connections of its own to all stores, and a
 * lower priority: evidence costs decisions nothing but the copying of its bytes to the client. Auditors take turns, so one
 * that asks all the time does not hold up the others. `SALLYPORT_AUDIT_QUERIES` bounds how many requests wait.
 */
export class AuditThread {
  private readonly thread: AskingThread<AuditRequest, AuditReply, string>;
  private readonly turns = new Turns(AT_ONCE);
  private closed = false;

  /** `onDamaged` hears of the damaged events that the thread reads. */
  constructor(
    data: AuditThreadData,
    private readonly onDamaged: (place: DamagedPlace) => void,
  ) {
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
   * The answer for an auditor, in UTF-8. A thread that died is started again. Throws `Problem`, `LogUnavailable`, `KeyringUnavailable`,
   * `IndexUnavailable`.
   */
  async ask(auditor: string, request: AuditRequest): Promise<Extract<AuditReply, { kind: 'answer' }>> {
    const reply = await this.exchange(auditor, request);
    if (reply.kind === 'answer') return reply;
    if (reply.kind === 'refused') return unwrap(err(reply.refusal));
    throw reply.kind === 'failed' ? errorOf(reply) : new TypeError('the answer of another request');
  }

  /** Begins, continues or ends an export. Throws as `ask` does. */
  async step(auditor: string, request: BundleRequest): Promise<BundleStep> {
    const reply = await this.exchange(auditor, request);
    if (reply.kind === 'step') return reply.step;
    throw reply.kind === 'failed' ? errorOf(reply) : new TypeError('the answer of another request');
  }

  private async exchange(auditor: string, request: AuditRequest): Promise<AuditReply> {
    const end = await this.turns.take(auditor);
    try {
      if (this.closed) throw unavailable('the service is shutting down');
      if (!this.thread.running) await this.thread.start();
      const reply = await this.thread.ask(request);
      reply.damaged?.forEach(this.onDamaged);
      return reply;
    } finally {
      end();
    }
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
