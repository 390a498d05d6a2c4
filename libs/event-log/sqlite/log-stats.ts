import { DatabaseSync } from 'node:sqlite';

/** Events of one category and type. Bytes are those of their texts. */
export interface EventCount {
  readonly category: string;
  readonly type: string;
  readonly events: number;
  readonly bytes: number;
}

/** The figures of a log. Bytes of payloads and documents are in addition to those of events. */
export interface LogStats {
  readonly counts: readonly EventCount[];
  readonly payloads: { readonly records: number; readonly bytes: number };
  /** Payload bytes by the category of their events. */
  readonly payloadBytes: Readonly<Record<string, number>>;
  readonly documents: { readonly count: number; readonly bytes: number };
  readonly oldest: string | undefined;
  readonly newest: string | undefined;
  /** Bytes of events and payloads that were written at or after a time. */
  readonly bytesSince: (time: string) => number;
  /** Streams that have an event of type `opened` whose `data.expiresAt` is later than `now`, and none of the types `ended`. */
  readonly openStreams: (opened: string, ended: readonly string[], now: string) => number;
}

/** Reads the figures of a log, which a service may be writing. It changes no file. Throws the errors of SQLite. */
export function withLogStats<Answer>(file: string, use: (stats: LogStats) => Answer): Answer {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
  try {
    // One snapshot for all figures.
    db.exec('BEGIN');
    return use(statsOf(db));
  } finally {
    db.close();
  }
}

const PAYLOADS = `
  SELECT p.position, length(p.bytes) AS size FROM payloads p
  UNION ALL SELECT q.position, length(r.bytes) FROM parted_payloads q JOIN payload_parts r ON r.token = q.token`;

function statsOf(db: DatabaseSync): LogStats {
  const cell = (sql: string, ...values: (string | number)[]): unknown =>
    Object.values(db.prepare(sql).get(...values) ?? {})[0];
  const number = (sql: string, ...values: (string | number)[]) => Number(cell(sql, ...values) ?? 0);
  const timeOf = (order: 'ASC' | 'DESC') =>
    cell(`SELECT json ->> '$.time' FROM events WHERE json_valid(json) ORDER BY position ${order} LIMIT 1`) as
      string | undefined;
  const counts = db
    .prepare(
      `SELECT category, type, count(*) AS events, sum(octet_length(json)) AS bytes FROM events
       GROUP BY category, type ORDER BY bytes DESC`,
    )
    .all();
  const byCategory = db
    .prepare(`SELECT category, sum(size) AS bytes FROM (${PAYLOADS}) p JOIN events USING (position) GROUP BY category`)
    .all();
  return {
    counts: counts.map((row) => ({
      category: String(row['category']),
      type: String(row['type']),
      events: Number(row['events']),
      bytes: Number(row['bytes']),
    })),
    payloads: {
      records: number('SELECT (SELECT count(*) FROM payloads) + (SELECT count(*) FROM parted_payloads)'),
      bytes: number(`SELECT sum(size) FROM (${PAYLOADS})`),
    },
    payloadBytes: Object.fromEntries(byCategory.map((row) => [String(row['category']), Number(row['bytes'])])),
    documents: {
      count: number('SELECT count(*) FROM blobs'),
      bytes: number('SELECT sum(length(bytes)) FROM blobs'),
    },
    oldest: timeOf('ASC'),
    newest: timeOf('DESC'),
    bytesSince: (time) => {
      const position = firstAt(db, time);
      return (
        number('SELECT sum(octet_length(json)) FROM events WHERE position >= ?', position) +
        number(`SELECT sum(size) FROM (${PAYLOADS}) WHERE position >= ?`, position)
      );
    },
    openStreams: (opened, ended, now) =>
      number(
        `SELECT count(*) FROM events o WHERE category = 'task' AND type = ?
         AND CASE WHEN json_valid(json) THEN json ->> '$.data.expiresAt' END > ?
         AND NOT EXISTS (SELECT 1 FROM events e WHERE e.stream_id = o.stream_id AND e.type IN (SELECT value FROM json_each(?)))`,
        opened,
        now,
        JSON.stringify(ended),
      ),
  };
}

/** The first position whose event is not older than a time. Times rise along the log, except among concurrent writers. */
function firstAt(db: DatabaseSync, time: string): number {
  const at = db.prepare(
    `SELECT position, json ->> '$.time' AS time FROM events WHERE position >= ? AND json_valid(json) ORDER BY position LIMIT 1`,
  );
  let [low, high] = [1, Number(Object.values(db.prepare('SELECT max(position) FROM events').get() ?? {})[0] ?? 0) + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = at.get(middle);
    if (row !== undefined && String(row['time']) < time) low = Number(row['position']) + 1;
    else high = middle;
  }
  return low;
}
