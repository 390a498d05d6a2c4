import { workerData } from 'node:worker_threads';
import { decodeGroup, encodeOutcomes, type Group } from './messages.js';
import { serve } from './worker.js';
import { MAX_GROUPS_TOGETHER } from './settings.js';
import { openGroupWriter } from './writing.js';
import { Claims } from './claims.js';
import type { WriterThreadOptions } from './schema.js';

/**
 * Worker thread: the one writer of the log. Answers each group of batches, in order. Groups that have come in while it
 * was committing share the next transaction: where a disk is slow to sync, one sync serves more of them.
 */
serve<Group>(() => {
  const options: WriterThreadOptions = workerData;
  const writer = openGroupWriter(options, new Claims(options.claims));
  return {
    answer(groups) {
      const decoded = groups.map(decodeGroup);
      const outcomes = writer.commit(decoded.flat());
      let at = 0;
      return decoded.map(({ length }) => encodeOutcomes(outcomes.slice(at, (at += length))));
    },
    close: () => writer.close(),
  };
}, MAX_GROUPS_TOGETHER);
