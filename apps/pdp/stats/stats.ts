import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { INDEX_FILE } from '../../../libs/audit/index/file-reader.js';
import { KEYS_FILE } from '../../../libs/backup/manifest.js';
import { withLogStats, type EventCount } from '../../../libs/event-log/sqlite/log-stats.js';
import { toInstant, toMs } from '../../../libs/kernel/time.js';
import { SIDE_FILES } from '../../../libs/sqlite-file/side-files.js';

const DAY_MS = 86_400_000;
/** The growth is that of these last days, or of the whole life of a younger log. */
const GROWTH_DAYS = 7;

/** The figures of a data folder. Sizes are in bytes. */
export interface FolderStats {
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly events: { readonly count: number; readonly bytes: number; readonly byType: readonly EventCount[] };
  readonly payloads: { readonly records: number; readonly bytes: number };
  readonly documents: { readonly count: number; readonly bytes: number };
  readonly tasks: { readonly all: number; readonly open: number; readonly ended: number; readonly shredded: number };
  readonly keys: { readonly tasks: number; readonly shredded: number; readonly users: number };
  readonly oldest: string | undefined;
  readonly newest: string | undefined;
  /** Bytes of events and payloads a day. */
  readonly growthPerDay: number;
  /** Bytes of events and payloads of calls, for each decision; undefined without a decision. */
  readonly bytesPerCall: number | undefined;
}

/** Reads the figures of a data folder, whose service may be running. Throws the errors of SQLite and of the file system. */
export function readStats(dataDir: string, logFile: string, nowMs: number): FolderStats {
  return withLogStats(logFile, (log) => {
    const { counts, payloads, payloadBytes, documents, oldest, newest } = log;
    const of = (...types: string[]) => sumOf(counts.filter(({ type }) => types.includes(type)));
    const calls = sumOf(counts.filter(({ category }) => category === 'calls'));
    const decisions = of('CallDecided').count;
    const open = log.openStreams('TaskOpened', ['TaskClosed', 'TaskShredded'], toInstant(nowMs));
    const all = of('TaskOpened').count;
    const sinceMs = Math.max(oldest === undefined ? nowMs : toMs(oldest), nowMs - GROWTH_DAYS * DAY_MS);
    const days = Math.max((nowMs - sinceMs) / DAY_MS, 1);
    return {
      files: filesOf(logFile, ...[KEYS_FILE, INDEX_FILE].map((name) => join(dataDir, name))),
      events: { ...sumOf(counts), byType: counts },
      payloads,
      documents,
      tasks: { all, open, ended: all - open, shredded: of('TaskShredded').count },
      keys: keysIn(join(dataDir, KEYS_FILE)),
      oldest,
      newest,
      growthPerDay: Math.round(log.bytesSince(toInstant(sinceMs)) / days),
      bytesPerCall: decisions === 0 ? undefined : Math.round((calls.bytes + (payloadBytes['calls'] ?? 0)) / decisions),
    };
  });
}

const sumOf = (counts: readonly EventCount[]) => ({
  count: counts.reduce((sum, { events }) => sum + events, 0),
  bytes: counts.reduce((sum, { bytes }) => sum + bytes, 0),
});

function filesOf(...files: readonly string[]): FolderStats['files'] {
  return files
    .flatMap((file) => ['', ...SIDE_FILES].map((suffix) => file + suffix))
    .filter((file) => existsSync(file))
    .map((name) => ({ name, bytes: statSync(name).size }));
}

function keysIn(file: string): FolderStats['keys'] {
  if (!existsSync(file)) return { tasks: 0, shredded: 0, users: 0 };
  const db = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
  try {
    const { live, gone } = db.prepare('SELECT count(key) AS live, count(*) - count(key) AS gone FROM keys').get() ?? {};
    const hasUsers = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'users'").get() !== undefined;
    const users = hasUsers ? db.prepare('SELECT count(key) AS users FROM users').get()?.['users'] : 0;
    return { tasks: Number(live), shredded: Number(gone), users: Number(users) };
  } finally {
    db.close();
  }
}
