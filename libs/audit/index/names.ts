import type { DatabaseSync } from 'node:sqlite';

/** The number of names and of versions that are kept in memory with their ids. */
const MAX_REMEMBERED = 20_000;

/** Gives each name one number, and remembers the numbers that it gave or read. */
export class Names {
  private readonly names = new Map<string, number>();
  private readonly versions = new Map<string, number>();
  private readonly sql: ReturnType<typeof statementsOf>;

  constructor(db: DatabaseSync) {
    this.sql = statementsOf(db);
  }

  of(name: string): number {
    return remembered(this.names, name, () => {
      const row = this.sql.name.get(name);
      return Number(row === undefined ? this.sql.addName.run(name).lastInsertRowid : row['id']);
    });
  }

  version(capability: string, version: string): number {
    return remembered(this.versions, `${capability} ${version}`, () => {
      const named = this.of(capability);
      const row = this.sql.version.get(version, named);
      return Number(row === undefined ? this.sql.addVersion.run(version, named).lastInsertRowid : row['id']);
    });
  }

  /** Must be called after the tables have changed otherwise. */
  forget(): void {
    this.names.clear();
    this.versions.clear();
  }
}

const statementsOf = (db: DatabaseSync) => ({
  name: db.prepare('SELECT id FROM names WHERE name = ?'),
  addName: db.prepare('INSERT INTO names (name) VALUES (?)'),
  version: db.prepare('SELECT id FROM versions WHERE version = ? AND capability = ?'),
  addVersion: db.prepare('INSERT INTO versions (version, capability) VALUES (?, ?)'),
});

/** The value of a key, found once. Above the bound all are forgotten. */
export function remembered<Key, Value>(values: Map<Key, Value>, key: Key, find: () => Value): Value {
  const known = values.get(key);
  if (known !== undefined) return known;
  const value = find();
  if (values.size >= MAX_REMEMBERED) values.clear();
  values.set(key, value);
  return value;
}

/** The number of a name; undefined if it has never been seen. */
export function nameOf(db: DatabaseSync, name: string): number | undefined {
  const row = db.prepare('SELECT id FROM names WHERE name = ?').get(name);
  return row === undefined ? undefined : Number(row['id']);
}

/** The number of a version; undefined if it has never been seen. */
export function versionOf(db: DatabaseSync, capability: string, version: string): number | undefined {
  const named = nameOf(db, capability);
  if (named === undefined) return undefined;
  const row = db.prepare('SELECT id FROM versions WHERE version = ? AND capability = ?').get(version, named);
  return row === undefined ? undefined : Number(row['id']);
}
