import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

/** First message of a service thread: it is ready, or the reason why it could not open. */
export type Greeting<Reason> = { readonly ready: true } | { readonly ready: false; readonly reason: Reason };

/** Asks a service thread to close its service and to end. */
export const CLOSE = 'close';

export interface Service<Request> {
  /**
   * One answer for each request, in their order. An error that it throws ends the thread. If it answers with a promise,
   * the requests that arrive meanwhile wait for it.
   */
  answer(requests: readonly Request[]): readonly unknown[] | Promise<readonly unknown[]>;
  /** Memory of an answer that moves to the other thread instead of being copied. */
  transferOf?(answer: unknown): readonly ArrayBuffer[];
  close(): void;
}

export interface ServeOptions<Request, Reason> {
  readonly open: () => Service<Request>;
  /** The reason that `ServiceThread` gets if `open` throws. */
  readonly reasonOf: (error: unknown) => Reason;
  /** How many requests that have arrived are answered in one call; 1 if not given. */
  readonly maxTogether?: number;
}

/** The port to the thread that started this one. Throws on the main thread. */
export function ownPort(): MessagePort {
  if (parentPort === null) throw new Error('this module runs only in a worker thread');
  return parentPort;
}

/** The body of a service thread: opens its service, says so, then answers each request with one message, in order. */
export function serve<Request, Reason>({ open, reasonOf, maxTogether = 1 }: ServeOptions<Request, Reason>): void {
  const port = ownPort();
  const greet = (greeting: Greeting<Reason>) => port.postMessage(greeting);
  let service: Service<Request>;
  try {
    service = open();
  } catch (error) {
    greet({ ready: false, reason: reasonOf(error) });
    return port.close();
  }
  const post = (answers: readonly unknown[]) => {
    for (const answer of answers) port.postMessage(answer, service.transferOf?.(answer) ?? []);
  };
  const end = () => {
    service.close();
    port.close();
  };
  /** The answers that are still being worked on. */
  let working: Promise<void> | undefined;
  port.on('message', (first: Request | typeof CLOSE) => {
    const requests: Request[] = [];
    let next: Request | typeof CLOSE | undefined = first;
    while (next !== undefined && next !== CLOSE) {
      requests.push(next);
      next = requests.length < maxTogether ? nextArrived(port) : undefined;
    }
    const isLast = next === CLOSE;
    if (working === undefined) {
      const answers = requests.length > 0 ? service.answer(requests) : [];
      if (!(answers instanceof Promise)) {
        post(answers);
        if (isLast) end();
        return;
      }
      working = answers.then(post);
    } else working = working.then(async () => post(requests.length > 0 ? await service.answer(requests) : []));
    if (isLast) working = working.then(end);
  });
  greet({ ready: true });
}

function nextArrived<Request>(port: MessagePort): Request | typeof CLOSE | undefined {
  const received: { message: Request | typeof CLOSE } | undefined = receiveMessageOnPort(port);
  return received?.message;
}
