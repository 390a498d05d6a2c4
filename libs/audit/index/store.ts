import type { DatabaseSync } from 'node:sqlite';
import { codeOf, isDamage } from '../../sqlite-file/codes.js';
import { Reconnecting } from '../../sqlite-file/reconnecting.js';
import { Insertion } from './insertion.js';
import type { IndexReply, IndexRequest, Mark } from './messages.js';
import { queryOf } from './queries.js';
import { openIndexFile, TABLES } from './schema.js';
import { countOpenTasks, countUnshredded, findUnshredded, isPinned } from './task-queries.js';

/** The index in its file. Synchronous, because it belongs to a worker thread. */
export interface IndexStore {
  /** Never throws. A damaged file is deleted, and the reply is `start_over`. */
  answer(request: IndexRequest): IndexReply;
  close(): void;
}

/** Throws if the file cannot be made or belongs to another program. */
export function openIndexStore(file: string): IndexStore {
  const index = new Reconnecting({ open: () => new OpenIndex(openIndexFile(file)) });
  return {
    answer(request) {
      try {
        return index.use((open) => open.answer(request));
      } catch (error) {
        // The next request opens the file again, which also checks it again.
        return isDamage(error) ? { kind: 'start_over' } : { kind: 'failed', code: codeOf(error) };
      }
    },
    close: () => index.close(),
  };
}

class OpenIndex {
  private readonly insertion: Insertion;

  constructor(private readonly db: DatabaseSync) {
    this.insertion = new Insertion(db);
  }

  answer(request: IndexRequest): IndexReply {
    const { db, insertion } = this;
    switch (request.kind) {
      case 'mark':
        return { kind: 'done', value: markOf(db) };
      case 'reset':
        empty(db);
        insertion.forget();
        return { kind: 'done', value: undefined };
      case 'ingest': {
        if ((markOf(db)?.position ?? 0n) !== request.from) return { kind: 'start_over' };
        insertion.insert(request.cells, request.mark);
        return { kind: 'done', value: undefined };
      }
      case 'query':
        return { kind: 'done', value: queryOf(db, request.name, request.asked) };
      case 'pinned':
        return { kind: 'done', value: isPinned(db, request) };
      case 'unshredded':
        return { kind: 'done', value: findUnshredded(db, request) };
      case 'count_unshredded':
        return { kind: 'done', value: countUnshredded(db, request.users) };
      case 'open_tasks':
        return { kind: 'done', value: countOpenTasks(db, request) };
    }
  }

  close(): void {
    this.db.close();
  }
}

/** The last event that the index holds; undefined if it is empty. */
export function markOf(db: DatabaseSync): Mark | undefined {
  const row = db.prepare('SELECT CAST(position AS TEXT) AS position, stream, revision, id FROM mark').get();
  if (row === undefined) return undefined;
  const { position, stream, revision, id } = row as Record<string, string | number>;
  return { position: BigInt(position ?? 0), stream: String(stream), revision: Number(revision), id: String(id) };
}

function empty(db: DatabaseSync): void {
  db.exec(`BEGIN IMMEDIATE; ${TABLES.map((table) => `DELETE FROM ${table};`).join(' ')} COMMIT`);
}
