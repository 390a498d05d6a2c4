import { parentPort } from 'node:worker_threads';
import { LogOpenError, type LogOpenCode } from './errors.js';

/** First message of a worker thread: it is ready, or it could not open the log. */
export type Greeting =
  { readonly ready: true } | { readonly ready: false; readonly code: LogOpenCode; readonly message: string };

/** Asks a worker thread to let go of its connection and to end. */
export const CLOSE = 'close';

export interface Service<Request> {
  answer(request: Request): unknown;
  close(): void;
}

/** The body of a worker thread: opens, says so, then answers each message with one message, in order. */
export function serve<Request>(open: () => Service<Request>): void {
  const port = parentPort;
  if (port === null) throw new Error('runs as a worker thread only');
  const greet = (greeting: Greeting) => port.postMessage(greeting);
  try {
    const service = open();
    port.on('message', (request: Request | typeof CLOSE) => {
      if (request !== CLOSE) return port.postMessage(service.answer(request));
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
