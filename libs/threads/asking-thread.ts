import { ServiceThread, type ServiceThreadOptions } from './service-thread.js';

export interface AskingThreadOptions<Reason> extends Omit<ServiceThreadOptions<never, Reason>, 'onAnswer' | 'onEnd'> {
  /** The error of a request that the thread did not answer before it ended. */
  readonly lost: () => Error;
  /** Called after the requests of a thread that ended were rejected. */
  readonly onEnd?: () => void;
}

interface Waiting<Reply> {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** A `ServiceThread` that answers each request with one message. The owner bounds how many requests may wait. */
export class AskingThread<Request, Reply, Reason> {
  private readonly thread: ServiceThread<Reply, Reason>;
  /** In the order of the requests, which is the order of the answers. */
  private readonly unanswered: Waiting<Reply>[] = [];

  constructor({ lost, onEnd, ...options }: AskingThreadOptions<Reason>) {
    this.thread = new ServiceThread({
      ...options,
      onAnswer: (reply) => this.unanswered.shift()?.resolve(reply),
      onEnd: () => {
        for (const { reject } of this.unanswered.splice(0)) reject(lost());
        onEnd?.();
      },
    });
  }

  get running(): boolean {
    return this.thread.running;
  }

  /** Requests without an answer. */
  get waiting(): number {
    return this.unanswered.length;
  }

  /** Throws `startError`. */
  start(): Promise<void> {
    return this.thread.start();
  }

  /** The answer of the thread, which must be running. Rejects with `lost` if it ends before. */
  ask(request: Request): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.unanswered.push({ resolve, reject });
      this.thread.post(request);
    });
  }

  /** Ends the thread after it has answered all earlier requests. */
  close(): Promise<void> {
    return this.thread.close();
  }
}
