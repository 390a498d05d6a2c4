import { DatabaseSync } from 'node:sqlite';
import { CHAIN_START, chained } from '../../transparency/completeness.js';
import { leafHash, type Hash } from '../../transparency/hash.js';

/** SQLite waits this long for a lock that the index holds. */
const BUSY_MS = 1_000;

/** How many events of a stream the index has taken, the hash chain over them, and the position of the last one. */
export interface StreamState {
  readonly events: number;
  /** chain(n) = SHA-256(chain(n-1) ‖ leaf hash of event n), as in the completeness map of the transparency log. */
  readonly chain: Hash;
  readonly last: bigint;
}

/** Counts and chains of streams. They are written once for each batch of events. */
export class StreamChains {
  private readonly touched = new Map<string, StreamState>();
  private readonly sql: ReturnType<typeof statementsOf>;

  constructor(db: DatabaseSync) {
    this.sql = statementsOf(db);
  }

  /** `json` is the text of the event, as the log has it, even if it is damaged. */
  add(stream: string, position: bigint, json: string): void {
    const before = this.touched.get(stream) ?? this.stored(stream);
    const chain = chained(before?.chain ?? CHAIN_START, leafHash(json));
    this.touched.set(stream, { events: (before?.events ?? 0) + 1, chain, last: position });
  }

  write(): void {
    for (const [stream, { events, chain, last }] of this.touched) this.sql.set.run(stream, events, chain, last);
    this.touched.clear();
  }

  forget(): void {
    this.touched.clear();
  }

  private stored(stream: string): StreamState | undefined {
    const row = this.sql.get.get(stream);
    return row && stateIn(row);
  }
}

/** The streams of an index file, for a comparison with the log. */
export interface IndexedStreams {
  /** The position of the last event that the index has taken; 0 if it has none. */
  readonly through: bigint;
  /** Every stream with its state, in the order of their names. */
  streams(): Generator<StreamState & { readonly stream: string }>;
  close(): void;
}

/** Opens an index file that may be in use, and changes nothing in it. Throws the errors of SQLite. */
export function openIndexedStreams(file: string): IndexedStreams {
  const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
  const mark = db.prepare('SELECT CAST(position AS TEXT) AS position FROM mark').get();
  return {
    through: BigInt((mark?.['position'] as string | undefined) ?? 0),
    *streams() {
      const rows = db.prepare(`SELECT stream, ${COLUMNS} FROM streams ORDER BY stream`).iterate();
      for (const row of rows) yield { stream: String(row['stream']), ...stateIn(row) };
    },
    close: () => db.close(),
  };
}

const COLUMNS = 'events, chain, CAST(last AS TEXT) AS last';

const statementsOf = (db: DatabaseSync) => ({
  get: db.prepare(`SELECT ${COLUMNS} FROM streams WHERE stream = ?`),
  set: db.prepare('INSERT OR REPLACE INTO streams (stream, events, chain, last) VALUES (?, ?, ?, ?)'),
});

const stateIn = (row: Readonly<Record<string, unknown>>): StreamState => ({
  events: Number(row['events']),
  chain: row['chain'] as Uint8Array,
  last: BigInt(row['last'] as string),
});
