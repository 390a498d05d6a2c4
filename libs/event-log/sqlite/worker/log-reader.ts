import type { DatabaseSync } from 'node:sqlite';
import { digestOfBytes } from '../../../kernel/digest.js';
import { unreachable } from '../../../kernel/result.js';
import { BULK_CATEGORIES, isUndecided } from '../../bulk.js';
import { categoryOf } from '../../event.js';
import { verifySealed, type VerifiedHead } from '../../verify.js';
import { Damaged } from '../shared/errors.js';
import { joined } from '../shared/packing.js';
import { NO_PAYLOAD, type Cell, type Found, type Query } from '../shared/query.js';
import { FROM_CONTROL_EVENTS, openForReading } from './schema.js';
import { PAGE_BYTES, PAGE_CHARS } from '../shared/settings.js';

/**
 * Answers queries. Each answer has been checked to be what was written. Otherwise it throws `Damaged`, or shows damaged
 * events without their text if the query says so.
 */
export interface LogReader {
  answer(query: Query): Found;
  close(): void;
}

/** Opens the log for reading. Throws `LogOpenError`. */
export function openLogReader(path: string): LogReader {
  const db = openForReading(path);
  const sql = statementsOf(db);
  const answer = (query: Query): Found => {
    switch (query.kind) {
      case 'head': {
        const row = sql.last.get(query.stream);
        if (row === undefined) return { cells: [0] };
        const isShown = query.shown === true || isUndecided(query.stream);
        return { cells: [isShown ? Number(row['revision']) : checked(row, query.stream).revision] };
      }
      case 'stream':
        return pageOf(sql.end.get(), sql.stream.iterate(query.stream, query.after, query.limit), query, checked);
      case 'all': {
        const { after, categories, limit } = query;
        if (categories === null) return pageOf(sql.end.get(), sql.all.iterate(after, limit), query, checked);
        const control = categories.every((category) => !BULK_CATEGORIES.some((bulk) => bulk === category));
        const statement = control ? sql.controlOf : sql.allOf;
        return pageOf(sql.end.get(), statement.iterate(after, JSON.stringify(categories), limit), query, checked);
      }
      case 'last':
        return lastOf(sql.lastOfAll.iterate(query.limit), checked);
      case 'end':
        return { cells: [Number(sql.end.get()?.['position'])] };
      case 'payload':
        return payloadOf(query.stream, query.revision);
      case 'payloads':
        return payloadsOf(query.revisions, (revision, at) => payloadOf(query.streams[at] ?? '', revision));
      case 'blob': {
        const found = bytesOf(sql.blob.get(query.digest));
        if (found.bytes !== undefined && digestOfBytes(found.bytes) !== query.digest) {
          throw new Damaged(`the blob ${query.digest} is damaged`);
        }
        return found;
      }
      default:
        return unreachable(query);
    }
  };
  /** The event of a row. Damage is answered as such if it is `shown`, and throws otherwise. */
  const checked: Checking = (row, stream, shown) => {
    const event = verified(row, stream);
    if (event !== undefined) return event;
    const [position, revision] = [Number(row['position']), Number(row['revision'])];
    const name = stream ?? String(sql.streamAt.get(position)?.['name'] ?? '');
    if (shown === true) return { id: '', position, stream: name, revision, type: '', json: '' };
    const place = { position: BigInt(position), stream: name, revision };
    throw new Damaged(`the event at position ${position} is damaged`, place);
  };
  const payloadOf = (stream: string, revision: number): Found => {
    const whole = bytesOf(sql.payload.get(stream, revision));
    if (whole.bytes !== undefined) return whole;
    const parts = sql.payloadParts.all(stream, revision).flatMap((row) => bytesOf(row).bytes ?? []);
    return parts.length === 0 ? whole : { cells: [], bytes: joined(parts) };
  };
  return {
    answer(query) {
      // One snapshot, so that the end of the log and the events match.
      sql.begin.run();
      try {
        return answer(query);
      } finally {
        if (db.isTransaction) sql.commit.run();
      }
    },
    close: () => db.close(),
  };
}

const EVENT = 'SELECT position, revision, category, type, json';
const STREAM_ID = '(SELECT id FROM streams WHERE name = ?)';
const POSITION = `(SELECT position FROM events WHERE stream_id = ${STREAM_ID} AND revision = ?)`;
const IN_CATEGORIES = 'category IN (SELECT value FROM json_each(?))';

const statementsOf = (db: DatabaseSync) => ({
  begin: db.prepare('BEGIN'),
  commit: db.prepare('COMMIT'),
  end: db.prepare('SELECT coalesce(max(position), 0) AS position FROM events'),
  last: db.prepare(`${EVENT} FROM events WHERE stream_id = ${STREAM_ID} ORDER BY revision DESC LIMIT 1`),
  stream: db.prepare(`${EVENT} FROM events WHERE stream_id = ${STREAM_ID} AND revision > ? ORDER BY revision LIMIT ?`),
  all: db.prepare(`${EVENT} FROM events WHERE position > ? ORDER BY position LIMIT ?`),
  lastOfAll: db.prepare(`${EVENT} FROM events ORDER BY position DESC LIMIT ?`),
  allOf: db.prepare(`${EVENT} FROM events WHERE position > ? AND ${IN_CATEGORIES} ORDER BY position LIMIT ?`),
  controlOf: db.prepare(
    `${EVENT} ${FROM_CONTROL_EVENTS} AND position > ? AND ${IN_CATEGORIES} ORDER BY position LIMIT ?`,
  ),
  payload: db.prepare(`SELECT bytes FROM payloads WHERE position = ${POSITION}`),
  payloadParts: db.prepare(
    `SELECT bytes FROM payload_parts
     WHERE token = (SELECT token FROM parted_payloads WHERE position = ${POSITION}) ORDER BY part`,
  ),
  blob: db.prepare('SELECT bytes FROM blobs WHERE digest = ?'),
  streamAt: db.prepare('SELECT name FROM events JOIN streams ON streams.id = stream_id WHERE position = ?'),
});

interface VerifiedRow extends VerifiedHead {
  readonly position: number;
  readonly json: string;
}

type Row = Readonly<Record<string, unknown>>;

/** The event of a row, which has to be of this stream if one is given. Throws `Damaged` unless damage is shown. */
type Checking = (row: Row, stream: string | undefined, shown?: boolean) => VerifiedRow;

function pageOf(
  end: Row | undefined,
  rows: Iterable<Row>,
  query: Extract<Query, { after: number }>,
  checked: Checking,
): Found {
  const events: Cell[] = [];
  let count = 0;
  let chars = 0;
  let previous = query.after;
  for (const row of rows) {
    const own = query.kind === 'stream' ? query.stream : undefined;
    const { position, stream, revision, type, json } = checked(row, own, query.shown);
    const isGap = query.kind === 'stream' ? revision !== previous + 1 : position <= previous;
    if (isGap && query.shown !== true) {
      throw new Damaged(`an event before position ${position} is missing`);
    }
    previous = query.kind === 'stream' ? revision : position;
    events.push(position, stream, revision, type, json);
    count += 1;
    chars += json.length;
    if (chars >= PAGE_CHARS) break;
  }
  const more = count === query.limit || chars >= PAGE_CHARS;
  return { cells: [Number(end?.['position']), more ? 1 : 0, count, ...events] };
}

/** Rows from the end of the log backwards, as a page in order of position. */
function lastOf(rows: Iterable<Row>, checked: Checking): Found {
  const events: VerifiedRow[] = [];
  let chars = 0;
  for (const row of rows) {
    const event = checked(row, undefined, true);
    events.unshift(event);
    chars += event.json.length;
    if (chars >= PAGE_CHARS) break;
  }
  const cells = events.flatMap(({ position, stream, revision, type, json }) => [
    position,
    stream,
    revision,
    type,
    json,
  ]);
  return { cells: [events.at(-1)?.position ?? 0, 0, events.length, ...cells] };
}

/** The event, if it is whole and under its own stream, revision and category. */
function verified(row: Row, stream: string | undefined): VerifiedRow | undefined {
  const { position, revision, category, type, json } = row;
  const head = typeof json === 'string' ? verifySealed(json) : undefined;
  if (
    typeof position !== 'number' ||
    typeof json !== 'string' ||
    head === undefined ||
    head.revision !== revision ||
    head.type !== type ||
    categoryOf(head.stream) !== category ||
    (stream !== undefined && head.stream !== stream)
  ) {
    return undefined;
  }
  return { ...head, position, json };
}

/** The payloads of the first events, until their bytes fill a page. */
function payloadsOf(revisions: readonly number[], find: (revision: number, at: number) => Found): Found {
  const cells: number[] = [];
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const [at, revision] of revisions.entries()) {
    const { bytes } = find(revision, at);
    cells.push(bytes?.byteLength ?? NO_PAYLOAD);
    if (bytes !== undefined) parts.push(bytes);
    length += bytes?.byteLength ?? 0;
    if (length >= PAGE_BYTES) break;
  }
  return { cells, bytes: joined(parts) };
}

function bytesOf(row: Row | undefined): Found {
  const bytes = row?.['bytes'];
  return bytes instanceof Uint8Array ? { cells: [], bytes } : { cells: [] };
}
