import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { copyPrivately, makeWhole, smallFilesIn, writePrivately } from '../../../libs/backup/files.js';
import { incarnationIn } from '../../../libs/backup/incarnation.js';
import { BackupError, fileEntry, KEYS_FILE, LOG_FILE, MANIFEST, type Manifest } from '../../../libs/backup/manifest.js';
import { openLogCopy, type LogCopy } from '../../../libs/event-log/sqlite/log-copy.js';
import { toInstant } from '../../../libs/kernel/time.js';
import { VERSION } from '../../../libs/kernel/version.js';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { copyDatabase } from '../../../libs/sqlite-file/copy-file.js';
import { families } from '../../../libs/streams/catalogue.js';
import type { Settings } from '../settings.js';

/**
 * Backs up the data folder of a service that may be running, to a new folder. The log is copied first and the keyring
 * after it. The key of a task is durable before any content of the task is, so each content in the copy has its key.
 * Throws `BackupError`, whose message is one line for an operator.
 */
export async function makeBackup(
  { dataDir, logFile }: Pick<Settings, 'dataDir' | 'logFile'>,
  folder: string,
  nowMs: number,
): Promise<Manifest> {
  if (!existsSync(logFile)) {
    throw new BackupError(`there is no log at ${logFile}: set SALLYPORT_DATA to the data folder of the service`);
  }
  try {
    return await makeWhole(folder, async (draft) => {
      await copied(logFile, join(draft, LOG_FILE));
      await copied(join(dataDir, KEYS_FILE), join(draft, KEYS_FILE));
      const small = smallFilesIn(dataDir, basename(logFile));
      for (const name of small) await copyPrivately(join(dataDir, name), join(draft, name));
      const manifest: Manifest = {
        format: 1,
        version: VERSION,
        createdAt: toInstant(nowMs),
        ...placeOf(join(draft, LOG_FILE)),
        files: await Promise.all([LOG_FILE, KEYS_FILE, ...small].map((name) => fileEntry(draft, name))),
      };
      writePrivately(join(draft, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
      return manifest;
    });
  } catch (error) {
    if (error instanceof BackupError) throw error;
    if ((error as { code?: unknown }).code === 'EEXIST')
      throw new BackupError(`${folder} exists already: name a new folder`);
    throw new BackupError(`the backup cannot be written to ${folder}: ${codeOf(error)}`);
  }
}

async function copied(from: string, to: string): Promise<void> {
  try {
    await copyDatabase(from, to);
  } catch (error) {
    throw new BackupError(`${from} cannot be copied to ${to}: ${codeOf(error)}`);
  }
}

/** The place of a log, as a manifest has it. */
export function placeOf(file: string): Pick<Manifest, 'incarnation' | 'head' | 'epoch'> {
  const log = openLogCopy(file);
  try {
    return placeIn(log);
  } finally {
    log.close();
  }
}

export const placeIn = (log: LogCopy): Pick<Manifest, 'incarnation' | 'head' | 'epoch'> => ({
  incarnation: incarnationIn(log.firstEvent(), log.lastEventOf(families.log.stream())),
  head: String(log.head),
  epoch: log.headOf(families.directives.stream()),
});
