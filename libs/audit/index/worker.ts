import { workerData } from 'node:worker_threads';
import { codeOf } from '../../sqlite-file/codes.js';
import { lowerOwnPriority } from '../../threads/priority.js';
import { serve } from '../../threads/serve.js';
import type { IndexRequest } from './messages.js';
import { openIndexStore } from './store.js';

/** Nice increment of this thread: when processors are scarce, decisions and their records run before the index. */
const INDEX_NICE_INCREMENT = 10;

/** The worker thread that has the file of the index open. It answers each request with one message, in order. */
lowerOwnPriority(INDEX_NICE_INCREMENT);
serve({
  open() {
    const store = openIndexStore(workerData as string);
    return {
      answer: (requests: readonly IndexRequest[]) => requests.map((request) => store.answer(request)),
      close: () => store.close(),
    };
  },
  reasonOf: codeOf,
});
