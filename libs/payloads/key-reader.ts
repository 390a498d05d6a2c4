import { DatabaseSync } from 'node:sqlite';
import { codeOf } from '../sqlite-file/codes.js';
import { Reconnecting } from '../sqlite-file/reconnecting.js';
import { KeyringUnavailable, type KeyReading } from './keyring.js';
import { UsersTable } from './users-table.js';

/** SQLite waits this long while a key is being shredded. */
const BUSY_MS = 1_000;

export interface KeyReader extends KeyReading {
  release(): void;
}

/**
 * The keys and the users as a thread reads them that does not own the keyring. It keeps none in memory: a shredded key must not
 * outlive its shredding anywhere. Its only transactions are single reads, which delay no shredding. Throws
 * `KeyringUnavailable`.
 */
export function openKeyReader(file: string): KeyReader {
  const keys = guarded(() => new Reconnecting({ open: () => openKeys(file) }));
  return {
    get: async (taskId) => guarded(() => keys.use((open) => open.keyOf(taskId))),
    knownPseudonym: async (userId) => guarded(() => keys.use(({ users }) => users.pseudonymOf(userId))),
    userOf: async (pseudonym) => guarded(() => keys.use(({ users }) => users.userOf(pseudonym))),
    release: () => keys.close(),
  };
}

function openKeys(file: string) {
  const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
  const find = db.prepare('SELECT key FROM keys WHERE task_id = ?');
  return {
    users: new UsersTable(db),
    keyOf(taskId: string): Uint8Array | undefined {
      const key = find.get(taskId)?.['key'];
      return key instanceof Uint8Array ? key : undefined;
    },
    close: () => db.close(),
  };
}

function guarded<Value>(action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    throw new KeyringUnavailable(`the keys cannot be read: ${codeOf(error)}`);
  }
}
