import type { DatabaseSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import { closeQuietly } from '../../../sqlite-file/open-file.js';
import { PlaceGuard, placeMemory } from '../../../sqlite-file/place-guard.js';
import { Reconnecting } from '../../../sqlite-file/reconnecting.js';
import { isUndecided } from '../../bulk.js';
import { categoryOf } from '../../event.js';
import type { AppendOutcome, Violation } from '../../port.js';
import { verifySealed } from '../../verify.js';
import type { Claims } from '../shared/claims.js';
import { codeOf, Damaged } from '../shared/errors.js';
import type { PayloadPart, PostedBatch, PostedEvent, PostedWrite } from '../shared/group-message.js';
import { openForWriting, SCHEMA_VERSION, type WriterOptions } from './schema.js';
import { MAX_REMEMBERED_HEADS } from '../shared/settings.js';

/** Commits groups of batches. Synchronous; nothing else writes the log. */
export interface GroupWriter {
  /** One transaction, one fsync. Answers one outcome per batch; never throws. */
  commit(batches: readonly PostedBatch[]): AppendOutcome[];
  close(): void;
}

/** Opens the log for writing. Throws `LogOpenError`. Writes no batch that its caller has taken back. */
export function openGroupWriter(options: WriterOptions, claims: Claims, place = placeMemory()): GroupWriter {
  const guard = new PlaceGuard(options.path, place);
  const table = new Reconnecting({
    open: () => opened(options, claims, guard),
    reopen: () => reopened(options, claims, guard),
    // Only the file knows whether a failed commit took effect, and this connection may see the file wrongly. It is
    // reopened at once, because the write of `reopened` ends what the failed commit may have left in the write-ahead
    // log, where the next start would find it.
    atOnce: true,
  });
  return {
    commit(batches) {
      try {
        return table.use((open) => open.commit(batches));
      } catch (error) {
        const cause = codeOf(error);
        return batches.map(() => ({ kind: 'unknown', cause }));
      }
    },
    close: () => table.close(),
  };
}

function opened(options: WriterOptions, claims: Claims, guard: PlaceGuard): EventTable {
  guard.beforeOpening();
  const db = openForWriting(options);
  try {
    const table = new EventTable(db, claims, guard);
    guard.opened();
    return table;
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/** After a failure the file has to take a write before anything is answered, even a commit of nothing but checks. */
function reopened(options: WriterOptions, claims: Claims, guard: PlaceGuard): EventTable {
  guard.beforeOpening();
  const db = openForWriting(options);
  try {
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    guard.opened();
    return new EventTable(db, claims, guard);
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

interface Head {
  readonly streamId: number;
  revision: number;
}

const statementsOf = (db: DatabaseSync) => ({
  begin: db.prepare('BEGIN IMMEDIATE'),
  commit: db.prepare('COMMIT'),
  end: db.prepare('SELECT coalesce(max(position), 0) AS position FROM events'),
  stream: db.prepare('SELECT id FROM streams WHERE name = ?'),
  insertStream: db.prepare('INSERT INTO streams (name) VALUES (?)'),
  last: db.prepare('SELECT revision, json FROM events WHERE stream_id = ? ORDER BY revision DESC LIMIT 1'),
  stored: db.prepare('SELECT position, json FROM events WHERE stream_id = ? AND revision = ?'),
  insertEvent: db.prepare(
    'INSERT INTO events (position, stream_id, revision, category, type, json) VALUES (?, ?, ?, ?, ?, ?)',
  ),
  insertPayload: db.prepare('INSERT INTO payloads (position, bytes) VALUES (?, ?)'),
  insertPart: db.prepare('INSERT INTO payload_parts (token, part, bytes) VALUES (?, ?, ?)'),
  stage: db.prepare('INSERT INTO staging (token) VALUES (?) ON CONFLICT DO NOTHING'),
  insertParted: db.prepare('INSERT INTO parted_payloads (position, token) VALUES (?, ?)'),
  countParts: db.prepare('SELECT count(*) AS parts FROM payload_parts WHERE token = ?'),
  deleteParts: db.prepare('DELETE FROM payload_parts WHERE token = ?'),
  lastToken: db.prepare('SELECT coalesce(max(token), 0) AS token FROM payload_parts'),
  unstage: db.prepare('DELETE FROM staging WHERE token = ?'),
  insertBlob: db.prepare('INSERT INTO blobs (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING'),
});

/** One connection with its statements and what it remembers. Any error except `Damaged` ends it. */
class EventTable {
  private readonly sql: ReturnType<typeof statementsOf>;
  /** Heads as of this transaction. Nothing else writes, so they cannot go stale. */
  private readonly heads = new LRUCache<string, Head>({ max: MAX_REMEMBERED_HEADS });
  private lastPosition: number;
  /**
   * The greatest token in the file as it was opened. Tokens in the file have their events, so each later token is new.
   */
  private readonly tokensBefore: number;

  constructor(
    private readonly db: DatabaseSync,
    private readonly claims: Claims,
    private readonly guard: PlaceGuard,
  ) {
    this.sql = statementsOf(db);
    this.lastPosition = Number(this.sql.end.get()?.['position']);
    this.tokensBefore = Number(this.sql.lastToken.get()?.['token']);
  }

  commit(batches: readonly PostedBatch[]): AppendOutcome[] {
    this.sql.begin.run();
    const outcomes = batches.map((batch) => this.take(batch));
    this.sql.commit.run();
    // A commit to a file that nobody will find again is no record.
    this.guard.assertThere();
    return outcomes;
  }

  /** Closing a connection rolls back what it had begun. */
  close(): void {
    closeQuietly(this.db);
  }

  private take(batch: PostedBatch): AppendOutcome {
    if (batch.part !== undefined) return this.takePart(batch.part);
    const outcome = this.checked(batch);
    if (outcome === undefined) return this.write(batch);
    // Its parts were written before it, and no event will name them.
    for (const { token } of partedIn(batch)) {
      this.sql.deleteParts.run(this.tokenOf(token));
      this.sql.unstage.run(this.tokenOf(token));
    }
    return outcome;
  }

  /**
   * Checks a whole batch, against all earlier ones, before any of it is inserted, so that a refusal never affects its
   * neighbours. Undefined: it may be written.
   */
  private checked(batch: PostedBatch): AppendOutcome | undefined {
    if (!this.claims.take(batch.cell)) return { kind: 'unwritten', cause: 'TAKEN_BACK' };
    // Parts are lost with a transaction that failed: nothing of the batch is written, and its caller may send it again.
    if (!this.hasParts(batch)) return { kind: 'unwritten', cause: 'PARTS_LOST' };
    try {
      const violations = this.violationsOf(batch);
      if (violations.length > 0) {
        const position = this.positionOfRepeat(batch.writes);
        if (position === undefined) return { kind: 'refused', violations };
        return { kind: 'committed', position: BigInt(position) };
      }
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      return { kind: 'unknown', cause: codeOf(error) };
    }
    return undefined;
  }

  private write({ writes, blobs }: PostedBatch): AppendOutcome {
    for (const write of writes) this.insert(write);
    for (const { digest, bytes } of blobs) this.sql.insertBlob.run(digest, bytes);
    return { kind: 'committed', position: BigInt(this.lastPosition) };
  }

  /** Only bytes: they belong to nothing until their event is written. */
  private takePart({ token, part, bytes }: PayloadPart): AppendOutcome {
    this.sql.stage.run(this.tokenOf(token));
    this.sql.insertPart.run(this.tokenOf(token), part, bytes);
    return { kind: 'committed', position: BigInt(this.lastPosition) };
  }

  private violationsOf({ writes, checks }: PostedBatch): Violation[] {
    const violations: Violation[] = [];
    const compare = ({ stream, expected }: { stream: string; expected: number }) => {
      const actual = this.headOf(stream)?.revision ?? 0;
      if (actual !== expected) violations.push({ stream, expected, actual });
    };
    writes.forEach(compare);
    checks.forEach(compare);
    return violations;
  }

  private insert({ stream, expected, events }: PostedWrite): void {
    const head = this.headOf(stream) ?? this.addStream(stream);
    const category = categoryOf(stream);
    let revision = expected;
    for (const { type, json, payload, parted } of events) {
      const position = this.lastPosition + 1;
      revision += 1;
      this.sql.insertEvent.run(position, head.streamId, revision, category, type, json);
      if (payload !== undefined) this.sql.insertPayload.run(position, payload);
      if (parted !== undefined) {
        this.sql.insertParted.run(position, this.tokenOf(parted.token));
        this.sql.unstage.run(this.tokenOf(parted.token));
      }
      this.lastPosition = position;
    }
    head.revision = revision;
  }

  private hasParts(batch: PostedBatch): boolean {
    return partedIn(batch).every(
      ({ token, parts }) => this.sql.countParts.get(this.tokenOf(token))?.['parts'] === parts,
    );
  }

  /** The token in the file for one of the sender. */
  private tokenOf(token: number): number {
    return this.tokensBefore + token;
  }

  /** The position of writes whose events are all in the log already, byte for byte. */
  private positionOfRepeat(writes: readonly PostedWrite[]): number | undefined {
    let last: number | undefined;
    for (const { stream, expected, events } of writes) {
      const head = this.headOf(stream);
      if (head === undefined || head.revision < expected + events.length) return undefined;
      for (const [index, { json }] of events.entries()) {
        const stored = this.sql.stored.get(head.streamId, expected + index + 1);
        if (stored?.['json'] !== json) return undefined;
        last = Math.max(last ?? 0, Number(stored['position']));
      }
    }
    return last;
  }

  private headOf(stream: string): Head | undefined {
    const known = this.heads.get(stream);
    if (known !== undefined) return known;
    const row = this.sql.stream.get(stream);
    if (row === undefined) return undefined;
    const streamId = Number(row['id']);
    const last = this.sql.last.get(streamId);
    if (isUndecided(stream)) return this.remember(stream, { streamId, revision: Number(last?.['revision'] ?? 0) });
    const verified = verifySealed(String(last?.['json']));
    // A head decides what may be appended, so it is trusted only together with the event of its revision.
    if (verified?.stream !== stream || verified.revision !== last?.['revision']) {
      throw new Damaged('the last event of a stream');
    }
    return this.remember(stream, { streamId, revision: verified.revision });
  }

  private addStream(stream: string): Head {
    const streamId = Number(this.sql.insertStream.run(stream).lastInsertRowid);
    return this.remember(stream, { streamId, revision: 0 });
  }

  /** The name is copied: that of a batch is a slice of its message, and would keep the whole message in memory. */
  private remember(stream: string, head: Head): Head {
    this.heads.set(copyOf(stream), head);
    return head;
  }
}

/** The payloads of a batch that were written in parts. */
const partedIn = ({ writes }: PostedBatch): readonly NonNullable<PostedEvent['parted']>[] =>
  writes.flatMap(({ events }) => events.flatMap(({ parted }) => parted ?? []));

const copyOf = (text: string): string => Buffer.from(text).toString();
