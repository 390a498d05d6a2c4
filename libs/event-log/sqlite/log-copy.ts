import { DatabaseSync } from 'node:sqlite';
import { faultsIn } from '../../sqlite-file/copy-file.js';

/** An event of a copy that has content, with its encrypted record. */
export interface StoredPayload {
  readonly stream: string;
  readonly revision: number;
  readonly bytes: Uint8Array;
}

/** A log that nobody writes. Reading it changes no file. */
export interface LogCopy {
  /** The position of the last event; 0 in an empty log. */
  readonly head: bigint;
  /** The revision of a stream's last event; 0 if there is none. */
  headOf(stream: string): number;
  /** The text of the first event of the log, and of the last event of a stream. Undefined if there is none. */
  firstEvent(): string | undefined;
  lastEventOf(stream: string): string | undefined;
  payloads(): Generator<StoredPayload>;
  /** What SQLite finds wrong in the file. It reads all of it. */
  faults(): string[];
  close(): void;
}

/** Opens a copy that `copyDatabase` made of a log. Throws the errors of SQLite. */
export function openLogCopy(file: string): LogCopy {
  const db = new DatabaseSync(file, { readOnly: true });
  const cell = (sql: string, ...values: (string | number)[]): unknown =>
    Object.values(db.prepare(sql).get(...values) ?? {})[0];
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const ofStream = 'FROM events JOIN streams ON streams.id = stream_id WHERE name = ?';
  return {
    head: BigInt(Number(cell('SELECT coalesce(max(position), 0) FROM events'))),
    headOf: (stream) => Number(cell(`SELECT coalesce(max(revision), 0) ${ofStream}`, stream)),
    firstEvent: () => text(cell('SELECT json FROM events ORDER BY position LIMIT 1')),
    lastEventOf: (stream) => text(cell(`SELECT json ${ofStream} ORDER BY revision DESC LIMIT 1`, stream)),
    *payloads() {
      const whole = db.prepare('SELECT position, bytes FROM payloads ORDER BY position');
      for (const row of whole.iterate())
        yield { ...placeAt(Number(row['position'])), bytes: row['bytes'] as Uint8Array };
      const parts = db.prepare('SELECT bytes FROM payload_parts WHERE token = ? ORDER BY part');
      for (const { position, token } of db.prepare('SELECT position, token FROM parted_payloads').iterate()) {
        const bytes = Buffer.concat(parts.all(Number(token)).map((row) => row['bytes'] as Uint8Array));
        yield { ...placeAt(Number(position)), bytes };
      }
    },
    faults: () => faultsIn(db),
    close: () => db.close(),
  };

  function placeAt(position: number): Omit<StoredPayload, 'bytes'> {
    const sql = 'SELECT name, revision FROM events JOIN streams ON streams.id = stream_id WHERE position = ?';
    const row = db.prepare(sql).get(position);
    return { stream: String(row?.['name']), revision: Number(row?.['revision']) };
  }
}
