import { DatabaseSync } from 'node:sqlite';
import { faultsIn } from '../../sqlite-file/copy-file.js';
import { digestOfBytes } from '../../kernel/digest.js';
import { categoryOf } from '../event.js';
import { prunedIn, type PrunedEvent } from './pruned.js';

/** An event as the file has it. Nothing about it has been checked. */
export interface WalkedEvent {
  readonly position: number;
  readonly stream: string | undefined;
  readonly revision: number;
  readonly category: string;
  readonly type: string;
  readonly json: string;
  /** The event was removed: its text is empty, and this is its leaf. */
  readonly pruned?: Pick<PrunedEvent, 'leaf'>;
}

/** Reads a log row by row, also a damaged one and one that a service writes. It changes no file. */
export interface LogWalk {
  /** The position of the last event. */
  readonly head: number;
  /** All events up to `head`, in order of position, with those that were removed. */
  events(): Generator<WalkedEvent>;
  payload(position: number): Uint8Array | undefined;
  /** Positions up to `head` that have a payload. */
  payloadPositions(): Generator<number>;
  blobs(): Generator<{ readonly digest: string; readonly bytes: Uint8Array }>;
  /** A document, if its bytes fit its digest. */
  blob(digest: string): Uint8Array | undefined;
  /** What SQLite finds wrong in the file. */
  faults(): string[];
  close(): void;
}

/** Opens a log. Throws the errors of SQLite. */
export function openLogWalk(file: string): LogWalk {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  const head = Number(db.prepare('SELECT coalesce(max(position), 0) AS head FROM events').get()?.['head']);
  const whole = db.prepare('SELECT bytes FROM payloads WHERE position = ?');
  const parts = db.prepare(
    'SELECT bytes FROM payload_parts WHERE token = (SELECT token FROM parted_payloads WHERE position = ?) ORDER BY part',
  );
  return {
    head,
    *events() {
      const removed = prunedIn(db, head);
      let next = removed.next();
      const sql = `SELECT position, name, revision, category, type, json
        FROM events LEFT JOIN streams ON streams.id = stream_id WHERE position <= ? ORDER BY position`;
      for (const row of db.prepare(sql).iterate(head)) {
        const { name } = row;
        for (; next.done !== true && next.value.position <= Number(row['position']); next = removed.next())
          yield walkedOf(next.value);
        yield {
          position: Number(row['position']),
          stream: typeof name === 'string' ? name : undefined,
          revision: Number(row['revision']),
          category: String(row['category']),
          type: String(row['type']),
          json: String(row['json']),
        };
      }
      for (; next.done !== true; next = removed.next()) yield walkedOf(next.value);
    },
    payload(position) {
      const bytes = whole.get(position)?.['bytes'];
      if (bytes instanceof Uint8Array) return bytes;
      const found = parts.all(position).flatMap((row) => (row['bytes'] instanceof Uint8Array ? [row['bytes']] : []));
      return found.length === 0 ? undefined : Buffer.concat(found);
    },
    *payloadPositions() {
      const sql = `SELECT position FROM payloads WHERE position <= ?1
        UNION ALL SELECT position FROM parted_payloads WHERE position <= ?1`;
      for (const row of db.prepare(sql).iterate(head)) yield Number(row['position']);
    },
    *blobs() {
      for (const row of db.prepare('SELECT digest, bytes FROM blobs').iterate())
        yield { digest: String(row['digest']), bytes: row['bytes'] as Uint8Array };
    },
    blob(digest) {
      const bytes = db.prepare('SELECT bytes FROM blobs WHERE digest = ?').get(digest)?.['bytes'];
      return bytes instanceof Uint8Array && digestOfBytes(bytes) === digest ? bytes : undefined;
    },
    faults: () => faultsIn(db),
    close: () => db.close(),
  };
}

const walkedOf = ({ position, stream, revision, leaf }: PrunedEvent): WalkedEvent => ({
  position,
  stream,
  revision,
  category: categoryOf(stream),
  type: '',
  json: '',
  pruned: { leaf },
});
