import { Worker, type ResourceLimits } from 'node:worker_threads';

/** The script and the limits of a worker thread. */
export interface WorkerScript {
  readonly script: URL;
  /** A copy of this is the script's `workerData`. */
  readonly data?: unknown;
  readonly limits?: ResourceLimits;
}

export interface WorkerListener<Message> {
  onMessage(message: Message): void;
  /** The thread has ended. `error` is what it threw or which limit it exceeded; undefined after `close` or `terminate`. */
  onEnd(error: NodeJS.ErrnoException | undefined): void;
}

/**
 * Starts a worker thread. Its environment is empty and it has no flags: it needs neither the secrets of this process nor
 * its instrumentation. An error in the thread ends the thread and nothing else.
 */
export function startWorker<Message>(
  { script, data, limits = {} }: WorkerScript,
  listener: WorkerListener<Message>,
): Worker {
  const worker = new Worker(script, { workerData: data, env: {}, execArgv: [], resourceLimits: limits });
  let failure: NodeJS.ErrnoException | undefined;
  worker.on('error', (error: NodeJS.ErrnoException) => (failure = error));
  worker.on('message', (message: Message) => listener.onMessage(message));
  worker.once('exit', () => listener.onEnd(failure));
  return worker;
}
