import { workerData } from 'node:worker_threads';
import { decodeGroup, encodeOutcomes, type Group } from './messages.js';
import { serve } from './worker.js';
import { openGroupWriter } from './writing.js';
import type { WriterOptions } from './schema.js';

/** Worker thread: the one writer of the log. Answers each group of batches, in order. */
serve<Group>(() => {
  const options: WriterOptions = workerData;
  const writer = openGroupWriter(options);
  return { answer: (group) => encodeOutcomes(writer.commit(decodeGroup(group))), close: () => writer.close() };
});
