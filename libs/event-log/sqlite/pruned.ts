import { DatabaseSync } from 'node:sqlite';
import { BUSY_TIMEOUT_MS } from './shared/settings.js';
import { verifySealed } from '../verify.js';
import { openForWriting } from './worker/schema.js';

/** An event that was archived, sealed and removed: its place in the log, and the hash of its leaf. */
export interface PrunedEvent {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  /** 32 bytes. */
  readonly leaf: Uint8Array;
}

/** The removed events of a log. Nothing is removed while a service runs, so they do not change meanwhile. */
export interface PrunedEvents {
  /** Those after a position, in order, at most `limit`. */
  after(position: number, limit: number): readonly PrunedEvent[];
  close(): void;
}

const SELECT = `SELECT position, name, revision, leaf
  FROM pruned LEFT JOIN streams ON streams.id = stream_id`;

const prunedOf = (row: Readonly<Record<string, unknown>>): PrunedEvent => ({
  position: Number(row['position']),
  stream: String(row['name']),
  revision: Number(row['revision']),
  leaf: row['leaf'] as Uint8Array,
});

/** Whether a file has the table. A file of an earlier version lacks it until its first start. */
const hasTable = (db: DatabaseSync): boolean =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'pruned'").get() !== undefined;

/** All removed events of an open log up to a position, in order. */
export function* prunedIn(db: DatabaseSync, head: number): Generator<PrunedEvent> {
  if (!hasTable(db)) return;
  for (const row of db.prepare(`${SELECT} WHERE position <= ? ORDER BY position`).iterate(head)) yield prunedOf(row);
}

/** Opens the removed events of a log. Throws the errors of SQLite. */
export function openPruned(file: string): PrunedEvents {
  const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const isEmpty = !hasTable(db) || db.prepare('SELECT 1 FROM pruned LIMIT 1').get() === undefined;
  const page = isEmpty ? undefined : db.prepare(`${SELECT} WHERE position > ? ORDER BY position LIMIT ?`);
  return {
    after: (position, limit) => page?.all(position, limit).map(prunedOf) ?? [],
    close: () => db.close(),
  };
}

/** The parts of one trace that are removed: whole streams with their payloads, and the payloads alone of others. */
export interface PruneOrder {
  readonly streams: readonly string[];
  readonly payloadsOf: readonly string[];
}

/**
 * Removes events and payloads, and keeps the leaves of the events. One trace is one transaction, so after a crash each
 * trace is whole or removed. The caller holds the lock of the log, and has sealed and archived what it names. `leafOf` is
 * the hash of a leaf. Returns the number of events that were removed. Throws the errors of SQLite, `LogOpenError`, and
 * an `Error` if an event is damaged: then nothing of its trace is removed.
 */
export function pruneEvents(path: string, orders: Iterable<PruneOrder>, leafOf: (json: string) => Uint8Array): number {
  const db = openForWriting({ path });
  try {
    const sql = {
      events: db.prepare(
        `SELECT position, stream_id, revision, json FROM events
         WHERE stream_id = (SELECT id FROM streams WHERE name = ?) ORDER BY revision`,
      ),
      keep: db.prepare('INSERT INTO pruned (position, stream_id, revision, leaf) VALUES (?, ?, ?, ?)'),
      remove: db.prepare('DELETE FROM events WHERE position = ?'),
      payload: db.prepare('DELETE FROM payloads WHERE position = ?'),
      parts: db.prepare(
        'DELETE FROM payload_parts WHERE token = (SELECT token FROM parted_payloads WHERE position = ?)',
      ),
      parted: db.prepare('DELETE FROM parted_payloads WHERE position = ?'),
    };
    const removePayload = (position: number): void => {
      sql.payload.run(position);
      sql.parts.run(position);
      sql.parted.run(position);
    };
    let removed = 0;
    for (const { streams, payloadsOf } of orders) {
      db.exec('BEGIN IMMEDIATE');
      for (const stream of payloadsOf) for (const row of sql.events.all(stream)) removePayload(Number(row['position']));
      for (const stream of streams)
        for (const { position, stream_id: streamId, revision, json } of sql.events.all(stream)) {
          const text = String(json);
          if (verifySealed(text)?.stream !== stream)
            throw new Error(`the event at position ${String(position)} is damaged`);
          sql.keep.run(Number(position), Number(streamId), Number(revision), leafOf(text));
          removePayload(Number(position));
          sql.remove.run(Number(position));
          removed += 1;
        }
      db.exec('COMMIT');
    }
    return removed;
  } finally {
    db.close();
  }
}
