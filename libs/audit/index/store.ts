import type { DatabaseSync } from 'node:sqlite';
import { insertionOf, type Insertion } from './insertion.js';
import type { IndexReply, IndexRequest, Mark } from './messages.js';
import { countOpenTasks, findCalls, findRefusals, findTasks, isPinned } from './queries.js';
import { codeOf, isDamage, openIndexFile } from './schema.js';

/** The index in its file. Synchronous: it belongs to a worker thread. */
export interface IndexStore {
  /** Never throws. Whatever is damaged is thrown away: then the answer is `start_over`. */
  answer(request: IndexRequest): IndexReply;
  close(): void;
}

/** Throws where the file cannot be made or is not ours. */
export function openIndexStore(file: string): IndexStore {
  let open: { readonly db: DatabaseSync; readonly insertion: Insertion } | undefined = opened(file);

  function answer(request: IndexRequest): IndexReply {
    open ??= opened(file);
    const { db, insertion } = open;
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
      case 'calls':
        return { kind: 'done', value: findCalls(db, request.filter, request.before, request.limit) };
      case 'refusals':
        return { kind: 'done', value: findRefusals(db, request.traceId, request.limit) };
      case 'tasks':
        return { kind: 'done', value: findTasks(db, request.filter, request.before, request.limit) };
      case 'pinned':
        return { kind: 'done', value: isPinned(db, request) };
      case 'open_tasks':
        return { kind: 'done', value: countOpenTasks(db, request) };
    }
  }

  function letGo(): void {
    try {
      open?.db.close();
    } catch {
      // What is broken already may fail to close, and says nothing new.
    }
    open = undefined;
  }

  return {
    answer(request) {
      try {
        return answer(request);
      } catch (error) {
        // Whatever happened, the next request begins with a fresh connection, which also looks at the file again.
        letGo();
        return isDamage(error) ? { kind: 'start_over' } : { kind: 'failed', code: codeOf(error) };
      }
    },
    close: letGo,
  };
}

function opened(file: string): { db: DatabaseSync; insertion: Insertion } {
  const db = openIndexFile(file);
  return { db, insertion: insertionOf(db) };
}

function markOf(db: DatabaseSync): Mark | undefined {
  const row = db.prepare('SELECT CAST(position AS TEXT) AS position, stream, revision, id FROM mark').get();
  if (row === undefined) return undefined;
  const { position, stream, revision, id } = row as Record<string, string | number>;
  return { position: BigInt(position ?? 0), stream: String(stream), revision: Number(revision), id: String(id) };
}

function empty(db: DatabaseSync): void {
  const tables = ['mark', 'names', 'versions', 'tasks', 'pins', 'calls', 'identities'];
  db.exec(`BEGIN IMMEDIATE; ${tables.map((table) => `DELETE FROM ${table};`).join(' ')} COMMIT`);
}
