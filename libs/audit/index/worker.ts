import { constants, getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { CLOSE, type Greeting, type IndexRequest } from './messages.js';
import { codeOf } from './schema.js';
import { openIndexStore } from './store.js';

const port = parentPort;
if (port === null) throw new Error('runs as a worker thread only');

/** Where processors are short, decisions and their records go before the index of them: it is so much nicer than they. */
const NICER_BY = 10;
// On Linux alone does this mean the calling thread; elsewhere it would be the whole process.
if (process.platform === 'linux') setPriority(Math.min(getPriority() + NICER_BY, constants.priority.PRIORITY_LOW));

/** Worker thread: the one that has the index's file open. Answers each request with one message, in order. */
try {
  const store = openIndexStore(workerData as string);
  port.on('message', (request: IndexRequest | typeof CLOSE) => {
    if (request !== CLOSE) return port.postMessage(store.answer(request));
    store.close();
    port.close();
  });
  port.postMessage({ ready: true } satisfies Greeting);
} catch (error) {
  port.postMessage({ ready: false, code: codeOf(error) } satisfies Greeting);
  port.close();
}
