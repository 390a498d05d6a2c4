import { workerData } from 'node:worker_threads';
import { codeOf, Damaged } from '../shared/errors.js';
import type { Answer, Query } from '../shared/query.js';
import { openLogReader, type LogReader } from './log-reader.js';
import { serve } from './serve.js';

/** Worker thread: reads the log on a connection of its own. Answers the queries of a message together, in order. */
serve<readonly Query[]>(() => {
  const { path }: { readonly path: string } = workerData;
  let reader: LogReader | undefined = openLogReader(path);
  const answer = (query: Query): Answer => {
    try {
      reader ??= openLogReader(path);
      return { found: reader.answer(query) };
    } catch (error) {
      if (error instanceof Damaged) return { failure: error.message };
      // The connection may hold on to what has failed; the next query opens the file anew.
      try {
        reader?.close();
      } catch {
        // It is let go either way.
      }
      reader = undefined;
      return { failure: codeOf(error) };
    }
  };
  return { answer: (messages) => messages.map((queries) => queries.map(answer)), close: () => reader?.close() };
});
