import { createHmac, randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { KEY_BYTES } from './keyring.js';
import { openPayload, sealPayload } from './payload.js';
import { pseudonymBy, type Pseudonym } from './pseudonym.js';

/**
 * The users of an installation, in the file of the keyring. `lookup` is a keyed hash of the user's id, and `sealed` is
 * the id under the user's own key. Erasing a user blanks the row: rows are only added at the end, so SQLite never
 * copies a key to another page, and `secure_delete` zeroes its only place.
 */
export const USERS_SCHEMA = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, lookup BLOB, pseudonym TEXT, key BLOB, sealed BLOB) STRICT;
  CREATE UNIQUE INDEX users_by_lookup ON users (lookup) WHERE lookup IS NOT NULL;
  CREATE UNIQUE INDEX users_by_pseudonym ON users (pseudonym) WHERE pseudonym IS NOT NULL;
  CREATE TABLE lookups (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL) STRICT;
`;

/** Binds a sealed id to its purpose: no record of a task opens as one. */
const PLACE = 'user';

const statementsOf = (db: DatabaseSync) => ({
  find: db.prepare('SELECT pseudonym FROM users WHERE lookup = ?'),
  row: db.prepare('SELECT key, sealed FROM users WHERE pseudonym = ?'),
  add: db.prepare('INSERT INTO users (lookup, pseudonym, key, sealed) VALUES (?, ?, ?, ?)'),
  blank: db.prepare('UPDATE users SET lookup = NULL, pseudonym = NULL, key = NULL, sealed = NULL WHERE pseudonym = ?'),
});

/** Reads and writes the users over one connection. All methods throw the errors of SQLite. */
export class UsersTable {
  private readonly sql: ReturnType<typeof statementsOf>;
  private readonly secret: Uint8Array;

  /** Throws if the file has no secret yet: `prepareUsers` makes it. */
  constructor(private readonly db: DatabaseSync) {
    this.sql = statementsOf(db);
    const secret = db.prepare('SELECT secret FROM lookups').get()?.['secret'];
    if (!(secret instanceof Uint8Array)) throw new Error('the keyring has no secret for its users');
    this.secret = secret;
  }

  /** The pseudonym of a user. Undefined if there is none. */
  pseudonymOf(userId: string): Pseudonym | undefined {
    return this.sql.find.get(this.lookupOf(userId))?.['pseudonym'] as Pseudonym | undefined;
  }

  /** Gives a user a key and a pseudonym, unless the user has them. */
  add(userId: string): Pseudonym {
    const known = this.pseudonymOf(userId);
    if (known !== undefined) return known;
    const key = randomBytes(KEY_BYTES);
    const pseudonym = pseudonymBy(key, userId);
    this.sql.add.run(this.lookupOf(userId), pseudonym, key, sealPayload(key, PLACE, { id: userId }).bytes);
    return pseudonym;
  }

  /** Whether the user of a pseudonym has a key. */
  has(pseudonym: string): boolean {
    return this.sql.row.get(pseudonym) !== undefined;
  }

  /** The user behind a pseudonym. Undefined if there is none, the user was erased, or the row is damaged. */
  userOf(pseudonym: string): string | undefined {
    const { key, sealed } = this.sql.row.get(pseudonym) ?? {};
    if (!(key instanceof Uint8Array) || !(sealed instanceof Uint8Array)) return undefined;
    const opened = openPayload(key, PLACE, sealed);
    const id = opened.ok ? opened.value.parts['id'] : undefined;
    return typeof id === 'string' && pseudonymBy(key, id) === pseudonym ? id : undefined;
  }

  /** The fault of the row of a pseudonym. Undefined if pseudonym and id lead to each other. */
  faultOf(pseudonym: string): string | undefined {
    if (!this.has(pseudonym)) return 'its row is missing';
    const userId = this.userOf(pseudonym);
    if (userId === undefined) return 'its row does not open';
    return this.pseudonymOf(userId) === pseudonym ? undefined : 'the id of its user does not lead back to it';
  }

  /** Destroys the key and the id of a user. The caller empties the write-ahead log, which still holds them. */
  erase(pseudonym: string): void {
    // A page of an index may keep a copy of an entry that was moved. From a guessed id it would lead to the pseudonym.
    if (this.sql.blank.run(pseudonym).changes !== 0) this.db.exec('REINDEX users_by_lookup');
  }

  private lookupOf(userId: string): Uint8Array {
    return createHmac('sha256', this.secret).update(userId).digest();
  }
}

/** Makes the secret of a file that has none. */
export function prepareUsers(db: DatabaseSync): void {
  db.prepare('INSERT OR IGNORE INTO lookups VALUES (1, ?)').run(randomBytes(KEY_BYTES));
}
