import { DatabaseSync } from 'node:sqlite';
import { UsersTable } from './users-table.js';
import { faultsIn } from '../sqlite-file/copy-file.js';

/** A keyring that nobody writes. Reading it changes no file. */
export interface KeyringCopy {
  /** `shredded` if the key was destroyed; undefined if there never was one. */
  keyOf(taskId: string): Uint8Array | 'shredded' | undefined;
  /** The number of users whose pseudonym does not lead back to an id. */
  lostUsers(): number;
  /** The fault of the user of a pseudonym, in words; undefined if there is none. */
  userFault(pseudonym: string): string | undefined;
  /** What SQLite finds wrong in the file. */
  faults(): string[];
  close(): void;
}

/** Opens a copy that `copyDatabase` made of a keyring. Throws the errors of SQLite. */
export function openKeyringCopy(file: string): KeyringCopy {
  const db = new DatabaseSync(file, { readOnly: true });
  const find = db.prepare('SELECT key FROM keys WHERE task_id = ?');
  let users: UsersTable | undefined;
  return {
    keyOf(taskId) {
      const row = find.get(taskId);
      if (row === undefined) return undefined;
      return row['key'] instanceof Uint8Array ? row['key'] : 'shredded';
    },
    lostUsers: () => lostUsersIn(db),
    userFault(pseudonym) {
      try {
        return (users ??= new UsersTable(db)).faultOf(pseudonym);
      } catch {
        return 'the users cannot be read';
      }
    },
    faults: () => faultsIn(db),
    close: () => db.close(),
  };
}

/** A keyring of before pseudonyms has no users. */
function lostUsersIn(db: DatabaseSync): number {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version < 2) return 0;
  const users = new UsersTable(db);
  const rows = db.prepare('SELECT pseudonym FROM users WHERE pseudonym IS NOT NULL').iterate();
  let lost = 0;
  for (const { pseudonym } of rows) if (users.userOf(String(pseudonym)) === undefined) lost += 1;
  return lost;
}
