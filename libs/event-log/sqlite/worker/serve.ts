import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { LogOpenError, type LogOpenCode } from '../shared/errors.js';

/** First message of a worker thread: it is ready, or it could not open the log. */
export type Greeting =
  { readonly ready: true } | { readonly ready: false; readonly code: LogOpenCode; readonly message: string };

/** Asks a worker thread to let go of its connection and to end. */
export const CLOSE = 'close';

export interface Service<Request> {
  /** One answer for each request, in their order. */
  answer(requests: readonly Request[]): readonly unknown[];
  close(): void;
}

/**
 * The body of a worker thread: opens, says so, then answers each message with one message, in order. Up to `maxTogether`
 * of those that wait are taken at once.
 */
export function serve<Request>(open: () => Service<Request>, maxTogether = 1): void {
  const port = parentPort;
  if (port === null) throw new Error('runs as a worker thread only');
  const greet = (greeting: Greeting) => port.postMessage(greeting);
  try {
    const service = open();
    port.on('message', (first: Request | typeof CLOSE) => {
      const requests: Request[] = [];
      let next: Request | typeof CLOSE | undefined = first;
      while (next !== undefined && next !== CLOSE) {
        requests.push(next);
        next = requests.length < maxTogether ? waiting(port) : undefined;
      }
      if (requests.length > 0) for (const answer of service.answer(requests)) port.postMessage(answer);
      if (next !== CLOSE) return;
      service.close();
      port.close();
    });
    greet({ ready: true });
  } catch (error) {
    const { code, message } =
      error instanceof LogOpenError ? error : new LogOpenError('cannot_open', 'the event log cannot be opened');
    greet({ ready: false, code, message });
    port.close();
  }
}

function waiting<Request>(port: MessagePort): Request | typeof CLOSE | undefined {
  const received: { message: Request | typeof CLOSE } | undefined = receiveMessageOnPort(port);
  return received?.message;
}
