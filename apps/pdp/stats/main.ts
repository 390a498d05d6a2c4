import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LOG_FILE } from '../../../libs/backup/manifest.js';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { readSettings } from '../settings.js';
import { readStats, type FolderStats } from './stats.js';

/**
 * Prints the figures of a data folder: `[<data folder>]`, then `--json` if wanted. The command line starts it with the Node
 * of the service, because the stores need that one.
 */
function main(args: readonly string[]): void {
  const json = args.includes('--json');
  const folder = args.find((each) => each !== '--json');
  const settings = readSettings(process.env);
  const dataDir = folder === undefined ? settings.dataDir : resolve(folder);
  const logFile = folder === undefined ? settings.logFile : join(dataDir, LOG_FILE);
  if (!existsSync(logFile)) throw new Refused(`${logFile} does not exist: name the data folder, or set SALLYPORT_DATA`);
  let stats: FolderStats;
  try {
    stats = readStats(dataDir, logFile, Date.now());
  } catch (error) {
    throw new Refused(`${logFile} cannot be read: ${codeOf(error)}`);
  }
  process.stdout.write(json ? `${JSON.stringify(stats, undefined, 2)}\n` : `${textOf(stats).join('\n')}\n`);
}

class Refused extends Error {}

function textOf(stats: FolderStats): string[] {
  const { files, events, payloads, documents, tasks, keys, oldest, newest, growthPerDay, bytesPerCall } = stats;
  const row = (name: string, text: string) => `${name.padEnd(14)}${text}`;
  return [
    row('oldest', oldest ?? 'none'),
    row('newest', newest ?? 'none'),
    row('events', `${events.count}, ${sizeOf(events.bytes)}`),
    row('payloads', `${payloads.records}, ${sizeOf(payloads.bytes)}`),
    row('documents', `${documents.count}, ${sizeOf(documents.bytes)}`),
    row('tasks', `${tasks.all}: ${tasks.open} open, ${tasks.ended} ended; ${tasks.shredded} shredded`),
    row('keys', `${keys.tasks} of tasks, ${keys.users} of users; ${keys.shredded} destroyed`),
    row('growth', `${sizeOf(growthPerDay)} a day`),
    row('a call', bytesPerCall === undefined ? 'no calls yet' : sizeOf(bytesPerCall)),
    '',
    ...files.map(({ name, bytes }) => `${sizeOf(bytes).padStart(10)}  ${JSON.stringify(name).slice(1, -1)}`),
    '',
    ...events.byType.map(
      ({ category, type, events: count, bytes }) =>
        `${sizeOf(bytes).padStart(10)}  ${String(count).padStart(9)}  ${category}  ${type}`,
    ),
  ];
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

function sizeOf(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}

try {
  main(process.argv.slice(2));
} catch (error) {
  const isExpected = error instanceof Refused || (error instanceof Error && error.name === 'SettingsError');
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`sallyport: ${isExpected ? '' : 'unexpected: '}${text}\n`);
  process.exitCode = 1;
}
