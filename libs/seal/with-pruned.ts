import { BULK_CATEGORIES } from '../event-log/bulk.js';
import type { LeafEvent, SealLog } from './seal-log.js';

/** The removed events of a log, as a store has them. */
interface Pruned {
  after(
    position: number,
    limit: number,
  ): readonly {
    readonly position: number;
    readonly stream: string;
    readonly revision: number;
    readonly leaf: Uint8Array;
  }[];
  close(): void;
}

/**
 * A log together with the leaves of its removed events, in order of position. Only events of the bulk are ever removed,
 * and each of them comes before the event that records its archive.
 */
export function withPruned(log: SealLog, pruned: Pruned): SealLog {
  return {
    stream: (...asked) => log.stream(...asked),
    head: (stream) => log.head(stream),
    end: () => log.end(),
    all(after, categories, limit) {
      const page = log.all(after, categories, limit);
      const last = page.at(-1);
      if (last === undefined || !BULK_CATEGORIES.every((bulk) => categories.includes(bulk))) return page;
      const removed = pruned.after(after, limit).filter(({ position }) => position < last.position);
      if (removed.length === 0) return page;
      return [...page, ...removed.map(leafEvent)].sort((a, b) => (a.position < b.position ? -1 : 1)).slice(0, limit);
    },
    close() {
      log.close();
      pruned.close();
    },
  };
}

const leafEvent = ({ position, stream, revision, leaf }: ReturnType<Pruned['after']>[number]): LeafEvent => ({
  position: BigInt(position),
  stream,
  revision,
  type: '',
  json: '',
  pruned: { leaf },
});
