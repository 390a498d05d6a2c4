import { workerData } from 'node:worker_threads';
import { decodeGroup, type Group } from '../shared/group-message.js';
import { encodeOutcomes } from '../shared/outcome-message.js';
import { serve } from './serve.js';
import { MAX_GROUPS_TOGETHER } from '../shared/settings.js';
import { openGroupWriter } from './commit.js';
import { Claims } from '../shared/claims.js';
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
