import { join } from 'node:path';
import { defined } from '../../../libs/kernel/defined.js';
import { BackupError, LOG_FILE } from '../../../libs/backup/manifest.js';
import { readSettings, type Settings } from '../settings.js';
import { checkBackup, type CheckedBackup } from './check.js';
import { isRead, lostSince, type Lost } from './lost.js';
import { makeBackup } from './make.js';
import { checkedText, lostText, placeText } from './report.js';
import { restoreBackup } from './restore.js';

/**
 * Backs up and restores data folders: `backup <folder>`, `check <backup>`, `restore <backup> [<data folder>]`, then `--json`
 * if wanted. The command line starts it with the Node of the service, because the stores need that one.
 */
async function main([command, ...rest]: readonly string[]): Promise<void> {
  process.umask(0o077);
  const json = rest.includes('--json');
  const [from = '', to] = rest.filter((each) => each !== '--json');
  const say = (value: object, lines: readonly string[]): void =>
    void process.stdout.write(
      json ? `${JSON.stringify(value, undefined, 2)}\n` : lines.map((line) => `${line}\n`).join(''),
    );
  const settings = readSettings(process.env);
  const nowMs = Date.now();
  if (command === 'backup') {
    const manifest = await makeBackup(settings, from, nowMs);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    return say(manifest, [`${from}: ${manifest.files.length} files, ${bytes} bytes`, placeText(manifest)]);
  }
  const checked = await checkBackup(from);
  const { manifest, opened, shredded } = checked;
  const lost = await lostOf(checked, settings);
  const found = defined({ manifest, opened, shredded, lost });
  if (command === 'check') return say(found, [...checkedText(checked), ...lostText(lost)]);
  if (settings.logFile !== join(settings.dataDir, LOG_FILE)) {
    const advice = 'restore without it, then move the log there before the start';
    throw new BackupError(`SALLYPORT_EVENT_LOG names a log outside of the data folder: ${advice}`);
  }
  const dataDir = to ?? settings.dataDir;
  const after = lost !== undefined && isRead(lost.directives) ? lost.directives.incarnation : 0;
  const incarnation = await restoreBackup(from, dataDir, { manifest, nowMs, after });
  say({ ...found, dataDir, incarnation }, [
    ...checkedText(checked),
    `restored to ${dataDir}: incarnation ${incarnation}`,
    ...lostText(lost),
  ]);
}

async function lostOf({ manifest, feedKey }: CheckedBackup, { kafka }: Settings): Promise<Lost | undefined> {
  return kafka === undefined || feedKey === undefined ? undefined : lostSince(manifest, feedKey, kafka.connection);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const isExpected = error instanceof BackupError || (error instanceof Error && error.name === 'SettingsError');
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`sallyport: ${isExpected ? '' : 'unexpected: '}${text}\n`);
  process.exitCode = 1;
});
