import { realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ArchiveList } from '../../../libs/audit/archives.js';
import { INDEX_FILE } from '../../../libs/audit/index/file-reader.js';
import { openLogPages } from '../../../libs/event-log/sqlite/log-pages.js';
import { pruneEvents, type PruneOrder } from '../../../libs/event-log/sqlite/pruned.js';
import { lastCheckpoint } from '../../../libs/seal/seal-log.js';
import { holdLock } from '../../../libs/sqlite-file/hold-lock.js';
import { SIDE_FILES } from '../../../libs/sqlite-file/side-files.js';
import { families } from '../../../libs/streams/catalogue.js';
import { leafHash } from '../../../libs/transparency/hash.js';
import type { Settings } from '../settings.js';

/**
 * Removes the calls of archived traces, and the content of their tasks. The archives have to be sealed, so that
 * nobody can deny them later. Tasks, traces, refused calls and everything that decisions rest on stay. Returns the number of events that
 * were removed. Throws an `Error` of one line, and then nothing more is removed.
 */
export function pruneTraces(
  { logFile, dataDir }: Pick<Settings, 'logFile' | 'dataDir'>,
  archives: readonly { readonly position: bigint; readonly list: ArchiveList }[],
): number {
  if (archives.length === 0) return 0;
  const path = realpathSync(logFile);
  const lock = holdLock(path);
  try {
    const through = sealedThrough(path);
    if (archives.some(({ position }) => position > through))
      throw new Error('nothing was removed: no checkpoint has the archive yet; run the same command again');
    // Its rows lead to events that are removed. The next start makes it again from the log.
    for (const suffix of ['', ...SIDE_FILES]) rmSync(join(dataDir, INDEX_FILE + suffix), { force: true });
    return pruneEvents(path, ordersOf(archives), leafHash);
  } finally {
    lock.release();
  }
}

function sealedThrough(path: string): bigint {
  const pages = openLogPages(path);
  try {
    return BigInt(lastCheckpoint(pages)?.data.through ?? 0);
  } finally {
    pages.close();
  }
}

function* ordersOf(archives: readonly { readonly list: ArchiveList }[]): Generator<PruneOrder> {
  for (const { list } of archives)
    for (const { tasks } of list.traces)
      yield {
        streams: tasks.map(({ taskId }) => families.calls.stream(taskId)),
        payloadsOf: tasks.map(({ taskId }) => families.task.stream(taskId)),
      };
}
