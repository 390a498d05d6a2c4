import type { DatabaseSync } from 'node:sqlite';
import { CHAIN_START, chained } from '../../transparency/completeness.js';
import { leafHash, type Hash } from '../../transparency/hash.js';

/** How many events of a stream the index has taken, the hash chain over them, and the position of the last one. */
interface StreamState {
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
