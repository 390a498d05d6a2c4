import { workerData } from 'node:worker_threads';
import { serve } from '../../../threads/serve.js';
import { Claims } from '../shared/claims.js';
import { openFailureOf } from '../shared/errors.js';
import { decodeGroup, type Group } from '../shared/group-message.js';
import { encodeOutcomes } from '../shared/outcome-message.js';
import { MAX_GROUPS_TOGETHER } from '../shared/settings.js';
import { openGroupWriter } from './commit.js';
import type { WriterThreadOptions } from './schema.js';

/**
 * The writer thread, the only writer of the log. It answers groups of batches in order. Groups that arrive during a
 * commit share the next transaction: if a disk is slow to sync, one sync serves more of them.
 */
serve({
  open() {
    const options: WriterThreadOptions = workerData;
    const writer = openGroupWriter(options, new Claims(options.claims), options.place);
    return {
      answer(groups: readonly Group[]) {
        const decoded = groups.map(decodeGroup);
        const outcomes = writer.commit(decoded.flat());
        let at = 0;
        return decoded.map(({ length }) => encodeOutcomes(outcomes.slice(at, (at += length))));
      },
      close: () => writer.close(),
    };
  },
  reasonOf: openFailureOf,
  maxTogether: MAX_GROUPS_TOGETHER,
});
