import assert from 'node:assert/strict';
import { openForWriting } from '../../libs/event-log/sqlite/worker/schema.js';
import { inPlace } from './place.js';
import { test } from '../support/testing.js';

test('a commit is fsynced, and the WAL is folded as often as SQLite would by itself', () =>
  inPlace(async ({ file }) => {
    const db = openForWriting({ path: file });
    const settings = Object.fromEntries(
      ['journal_mode', 'synchronous', 'wal_autocheckpoint'].map((name) => [
        name,
        Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0],
      ]),
    );
    db.close();
    assert.deepEqual(settings, { journal_mode: 'wal', synchronous: 2, wal_autocheckpoint: 1_000 });
  }));
