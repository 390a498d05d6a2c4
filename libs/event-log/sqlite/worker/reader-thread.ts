import { workerData } from 'node:worker_threads';
import { Reconnecting } from '../../../sqlite-file/reconnecting.js';
import { serve } from '../../../threads/serve.js';
import { Damaged, failureOf, openFailureOf } from '../shared/errors.js';
import type { Answer, Query } from '../shared/query.js';
import { openLogReader } from './log-reader.js';

/** The reader thread, with a connection of its own. It answers the queries of a message together, in order. */
serve({
  open() {
    const { path }: { readonly path: string } = workerData;
    const reader = new Reconnecting({
      open: () => openLogReader(path),
      keepsAfter: (error) => error instanceof Damaged,
    });
    const answer = (query: Query): Answer => {
      try {
        return { found: reader.use((open) => open.answer(query)) };
      } catch (error) {
        return failureOf(error);
      }
    };
    return {
      answer: (messages: readonly (readonly Query[])[]) => messages.map((queries) => queries.map(answer)),
      close: () => reader.close(),
    };
  },
  reasonOf: openFailureOf,
});
