import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyPrivately } from '../../../libs/backup/files.js';
import { incarnationOf, restoreWrite } from '../../../libs/backup/incarnation.js';
import { BackupError, LOG_FILE, type Manifest } from '../../../libs/backup/manifest.js';
import { newestEventMs } from '../../../libs/control/log-time.js';
import { openSqliteLog } from '../../../libs/event-log/sqlite/sqlite-log.js';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { holdLock } from '../../../libs/sqlite-file/hold-lock.js';
import { makeFolder } from '../../../libs/sqlite-file/make-folder.js';
import { SIDE_FILES } from '../../../libs/sqlite-file/side-files.js';
import { syncPath } from '../../../libs/sqlite-file/sync-path.js';
import { families } from '../../../libs/streams/catalogue.js';

export interface RestoreOptions {
  readonly manifest: Manifest;
  readonly nowMs: number;
  /** The greatest incarnation that is known from elsewhere: the new one is greater. */
  readonly after: number;
}

/**
 * Restores a backup that was checked, into a data folder without a log. The log begins a new incarnation, which is a fact
 * in it. Everything is prepared in a folder of its own, and the log gets its name last. A crash between two names leaves a
 * folder without a log, which a second restore refuses by the names that are there. Returns the new incarnation. Throws `BackupError`.
 */
export async function restoreBackup(backup: string, dataDir: string, options: RestoreOptions): Promise<number> {
  const { files } = options.manifest;
  let lock: { release(): void } | undefined;
  let draft: string | undefined;
  try {
    makeFolder(dataDir);
    // A write-ahead log that is left would be replayed over the restored file at the next start.
    for (const name of files.flatMap(({ name: each }) => [each, ...SIDE_FILES.map((suffix) => each + suffix)]))
      if (existsSync(join(dataDir, name)))
        throw new BackupError(`${join(dataDir, name)} exists: restore never replaces it`);
    lock = holdLock(join(dataDir, LOG_FILE));
    draft = join(dataDir, `.restore-${randomUUID()}`);
    mkdirSync(draft, { mode: 0o700 });
    for (const { name } of files) await copyPrivately(join(backup, name), join(draft, name));
    const incarnation = await beginIncarnation(join(draft, LOG_FILE), options);
    const names = files.map(({ name }) => name).filter((name) => name !== LOG_FILE);
    for (const name of [...names, LOG_FILE]) renameSync(join(draft, name), join(dataDir, name));
    syncPath(dataDir);
    return incarnation;
  } catch (error) {
    if (error instanceof BackupError) throw error;
    if (codeOf(error) === 'SQLITE_BUSY') throw new BackupError(`another process is using ${dataDir}`);
    throw new BackupError(`${backup} cannot be restored to ${dataDir}: ${causeOf(error)}`);
  } finally {
    if (draft !== undefined) rmSync(draft, { recursive: true, force: true });
    lock?.release();
  }
}

/** Records the restore, and leaves the log as one durable file. */
async function beginIncarnation(file: string, { manifest, nowMs, after }: RestoreOptions): Promise<number> {
  const log = await openSqliteLog({ file });
  let incarnation: number;
  try {
    const write = restoreWrite({
      backup: { backupAt: manifest.createdAt, backupHead: manifest.head, backupEpoch: manifest.epoch },
      after: Math.max(after, manifest.incarnation),
      nowMs,
      newestMs: await newestEventMs(log),
      revision: await log.head(families.log.stream()),
    });
    const outcome = await log.append({ writes: [write], checks: [] });
    if (outcome.kind !== 'committed') throw new BackupError('the restore cannot be recorded in the log');
    incarnation = await incarnationOf(log);
  } finally {
    await log.close();
  }
  if (existsSync(`${file}-wal`)) throw new BackupError('the restored log cannot be closed');
  syncPath(file);
  return incarnation;
}

/** The code of the system or of SQLite; else the text, which is ours. */
function causeOf(error: unknown): string {
  const hasCode = typeof error === 'object' && error !== null && ('errno' in error || 'errcode' in error);
  return hasCode || !(error instanceof Error) ? codeOf(error) : error.message;
}
