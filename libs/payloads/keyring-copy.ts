import { DatabaseSync } from 'node:sqlite';
import { faultsIn } from '../sqlite-file/copy-file.js';

/** A keyring that nobody writes. Reading it changes no file. */
export interface KeyringCopy {
  /** `shredded` if the key was destroyed; undefined if there never was one. */
  keyOf(taskId: string): Uint8Array | 'shredded' | undefined;
  /** What SQLite finds wrong in the file. */
  faults(): string[];
  close(): void;
}

/** Opens a copy that `copyDatabase` made of a keyring. Throws the errors of SQLite. */
export function openKeyringCopy(file: string): KeyringCopy {
  const db = new DatabaseSync(file, { readOnly: true });
  const find = db.prepare('SELECT key FROM keys WHERE task_id = ?');
  return {
    keyOf(taskId) {
      const row = find.get(taskId);
      if (row === undefined) return undefined;
      return row['key'] instanceof Uint8Array ? row['key'] : 'shredded';
    },
    faults: () => faultsIn(db),
    close: () => db.close(),
  };
}
