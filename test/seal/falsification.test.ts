import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { parseEvent } from '../../libs/event-log/event.js';
import { signCheckpoint } from '../../libs/transparency/checkpoint.js';
import { parseHash } from '../../libs/transparency/hash.js';
import { openPayload, sealPayload } from '../../libs/payloads/payload.js';
import { addPrincipal } from '../support/actors.js';
import { dataOf, forgeRestore, headOf, reseal, rowsOf, sealedFolder, type SealedFolder } from './ground.js';
import { after, before, describe, test } from '../support/testing.js';
import { openTask } from '../support/world.js';

/**
 * The falsification table: what somebody with the data folder of a stopped service may do to it, with ids derived again,
 * and the line that finds it.
 */

let folder: SealedFolder;
before(async () => {
  folder = await sealedFolder();
});
after(() => folder.remove());

const SEALED =
  /checkpoint \d+ \(size \d+\): the (events|streams) up to it are not those that it seals: positions \d+ to \d+/;
const FEWER = /checkpoint \d+ \(size \d+\): the log has \d+ leaves up to it: positions \d+ to \d+/;
const GAP = /position \d+: [a-z-]+[^ ]*@\d+ follows [^ ]+@\d+/;
const LATE = '2027-01-01T00:00:00.000Z';

const remove = (where: string) => (db: DatabaseSync) => db.exec(`DELETE FROM events WHERE ${where}`);
const lastTask = "(SELECT id FROM streams WHERE name LIKE 'calls-%' ORDER BY id DESC LIMIT 1)";

/** A change of the log, and the line of `sallyport check` that finds it. */
type Falsification = readonly [name: string, change: (db: DatabaseSync) => void, found: RegExp];

function eachIsFound(rows: readonly Falsification[]): void {
  for (const [name, change, found] of rows) {
    test(name, () => {
      const copy = folder.copy();
      copy.edit(change);
      const { damages } = copy.check();
      assert.ok(
        damages.some((line) => found.test(line)),
        damages.join('\n'),
      );
    });
  }
}

const EVENTS: readonly Falsification[] = [
  ['an event is edited', dataOf('CallDecided', () => ({ operation: 'erase' })), SEALED],
  ["a decision's time", headOf('CallDecided', { time: LATE }), SEALED],
  ["a decision's actor", headOf('CallDecided', { actor: 'somebody' }), SEALED],
  ["a decision's user", dataOf('CallDecided', () => ({ user: 'somebody' })), SEALED],
  ["a decision's outcome", dataOf('OutcomeRecorded', () => ({ status: 'failed' })), SEALED],
  ["a response's verdict", dataOf('ResponseValidated', () => ({ verdict: 'rejected' })), SEALED],
  ['the reviewer', headOf('VersionReviewed', { actor: 'somebody' }), SEALED],
  ["a review's reason", dataOf('VersionReviewed', () => ({ reason: 'another' })), SEALED],
  ['the revoker', headOf('VersionRevoked', { actor: 'somebody' }), SEALED],
  ["a directive's issuer", headOf('DirectiveIssued', { actor: 'somebody' }), SEALED],
  ["a directive's time", headOf('DirectiveIssued', { time: LATE }), SEALED],
  ['rejected becomes approved', dataOf('VersionReviewed', () => ({ verdict: 'approved' })), SEALED],
  ['an auditor becomes admin', dataOf('PrincipalAdded', () => ({ roles: ['admin'] })), SEALED],
  [
    'two events are swapped',
    (db) => {
      const [one, other] = rowsOf(db, 'CallDecided');
      if (one === undefined || other === undefined) throw new Error('two decisions are needed');
      const take = ({ data }: { data: unknown }) => ({ data });
      reseal(db, one, () => take(parseEvent(other.json)));
      reseal(db, other, () => take(parseEvent(one.json)));
    },
    SEALED,
  ],
  ['an event in the middle is deleted', remove(`stream_id = ${lastTask} AND revision = 2`), GAP],
  ['a stream loses its tail', remove(`stream_id = ${lastTask} AND revision > 5`), FEWER],
  ['all calls of a task are deleted', remove(`stream_id = ${lastTask}`), FEWER],
  ['a task is deleted', remove("type = 'TaskOpened'"), FEWER],
  [
    'the newest ten events are deleted',
    remove('position > (SELECT max(position) - 10 FROM events)'),
    /the log is behind its witness/,
  ],
  [
    'a bit of an event flips',
    (db) => db.exec("UPDATE events SET json = replace(json, '\"allow\"', '\"alloW\"') WHERE type = 'CallDecided'"),
    /position \d+: the event is not what was written/,
  ],
];

describe('a falsified event is found', () => {
  eachIsFound(EVENTS);
});

const PAYLOADS: readonly Falsification[] = [
  [
    'a payload is flipped',
    (db) => {
      const row = db.prepare('SELECT position, bytes FROM payloads LIMIT 1').get();
      const bytes = Buffer.from(row?.['bytes'] as Uint8Array);
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      db.prepare('UPDATE payloads SET bytes = ? WHERE position = ?').run(bytes, Number(row?.['position']));
    },
    /position \d+: the payload of \S+@\d+ is not the one that its event commits to/,
  ],
  [
    'two payloads are swapped',
    (db) => {
      const [one, other] = db.prepare('SELECT position, bytes FROM payloads LIMIT 2').all();
      const put = db.prepare('UPDATE payloads SET bytes = ? WHERE position = ?');
      put.run(other?.['bytes'] as Uint8Array, Number(one?.['position']));
      put.run(one?.['bytes'] as Uint8Array, Number(other?.['position']));
    },
    /is not the one that its event commits to/,
  ],
  [
    'a payload is deleted',
    (db) => db.exec('DELETE FROM payloads WHERE position = (SELECT max(position) FROM payloads)'),
    /the payload of \S+ is missing/,
  ],
  [
    'a document is changed',
    (db) => db.exec("UPDATE blobs SET bytes = cast('{}' AS BLOB) WHERE digest = (SELECT min(digest) FROM blobs)"),
    /document sha256:[0-9a-f]{64}: has other bytes/,
  ],
  [
    'a document is deleted',
    (db) => db.exec('DELETE FROM blobs WHERE digest = (SELECT min(digest) FROM blobs)'),
    /document sha256:[0-9a-f]{64}: is missing, and \S+ names it/,
  ],
];

describe('falsified content is found', () => {
  eachIsFound(PAYLOADS);

  test('a payload is decrypted, changed and encrypted again', () => {
    const copy = folder.copy();
    copy.edit((db) => {
      const { position, json } = rowsOf(db, 'ResponseValidated').at(-1) ?? { position: 0, json: '' };
      const { stream, revision } = parseEvent(json);
      const place = `${stream}@${revision}`;
      const bytes = db.prepare('SELECT bytes FROM payloads WHERE position = ?').get(position)?.['bytes'] as Uint8Array;
      let key: Uint8Array = Buffer.alloc(0);
      copy.edit((keys) => {
        const row = keys.prepare('SELECT key FROM keys WHERE task_id = ?').get(stream.slice('calls-'.length));
        key = row?.['key'] as Uint8Array;
      }, 'keys.db');
      const opened = openPayload(key, place, bytes);
      assert.ok(opened.ok);
      const { bytes: changed } = sealPayload(key, place, { ...opened.value.parts, raw: 'another answer' });
      db.prepare('UPDATE payloads SET bytes = ? WHERE position = ?').run(changed, position);
    });
    assert.match(copy.check().damages.join('\n'), /is not the one that its event commits to/);
  });

  test('a key is deleted, or replaced', () => {
    const deleted = folder.copy();
    deleted.edit((db) => db.exec('DELETE FROM keys WHERE id = (SELECT min(id) FROM keys)'), 'keys.db');
    assert.match(deleted.check().damages.join('\n'), /task \S+: its key is missing, and no TaskShredded says so/);
    const nulled = folder.copy();
    nulled.edit((db) => db.exec('UPDATE keys SET key = NULL WHERE id = (SELECT max(id) FROM keys)'), 'keys.db');
    assert.match(nulled.check().damages.join('\n'), /task \S+: its key is missing/);
    const replaced = folder.copy();
    replaced.edit((db) => db.prepare('UPDATE keys SET key = ?').run(randomBytes(32)), 'keys.db');
    assert.match(replaced.check().damages.join('\n'), /task \S+: its key is another than the one of its opening/);
  });

  const USERS: readonly (readonly [string, RegExp])[] = [
    [
      'DELETE FROM users WHERE id = 1',
      /^user p:\S+ \(first at position \d+\): its row is missing, and no UserErased says so$/,
    ],
    [
      "UPDATE users SET sealed = x'00' WHERE id = 1",
      /^user p:\S+ \(first at position \d+\): its row does not open, and/,
    ],
    [
      'UPDATE users SET lookup = randomblob(32) WHERE id = 1',
      /^user p:\S+ \(first at position \d+\): the id of its user does not lead back to it, and/,
    ],
    ['DELETE FROM lookups', /^user p:\S+ \(first at position \d+\): the users cannot be read, and/],
  ];
  test('a row of a user is deleted, zeroed, or leads elsewhere', () => {
    for (const [sql, found] of USERS) {
      const copy = folder.copy();
      copy.edit((db) => db.exec(sql), 'keys.db');
      const { damages } = copy.check();
      assert.equal(damages.length, 1, sql);
      assert.match(damages[0] ?? '', found);
    }
  });

  test('the users of two rows are swapped', async () => {
    const copy = folder.copy();
    const service = await copy.start();
    await openTask(service, { user: { id: 'bob', roles: [] } });
    await openTask(service, { user: { id: 'eve', roles: [] } });
    const admin = await service.call('admin', 'POST', '/v1/users/eve/erase', { reason: 'asked' });
    assert.equal(admin.status, 200);
    await service.stop('keep');
    // The row of the erased user is blank, and the log says why.
    assert.deepEqual(copy.check().damages, []);
    copy.edit((db) => {
      const [one, other] = db.prepare('SELECT id, lookup FROM users WHERE lookup IS NOT NULL').all();
      const put = db.prepare('UPDATE users SET lookup = ? WHERE id = ?');
      put.run(null, Number(one?.['id']));
      put.run(one?.['lookup'] as Uint8Array, Number(other?.['id']));
      put.run(other?.['lookup'] as Uint8Array, Number(one?.['id']));
    }, 'keys.db');
    const { damages } = copy.check();
    assert.equal(damages.length, 2, damages.join('\n'));
    for (const line of damages) assert.match(line, /the id of its user does not lead back to it/);
  });

  test('a row of the index is changed, or deleted', () => {
    const changed = folder.copy();
    changed.edit(
      (db) => db.exec('UPDATE calls SET revision = revision + 1 WHERE seq = (SELECT max(seq) FROM calls)'),
      'audit-index.db',
    );
    assert.match(changed.check().damages.join('\n'), /the index of calls: position \d+ is no such decision of the log/);
    const deleted = folder.copy();
    deleted.edit((db) => db.exec('DELETE FROM calls WHERE seq = (SELECT max(seq) FROM calls)'), 'audit-index.db');
    assert.match(deleted.check().damages.join('\n'), /the index of calls: the decision at position \d+ is missing/);
  });

  const EDITS: readonly (readonly [string, RegExp])[] = [
    ['UPDATE calls SET user = agent WHERE seq = 1', /calls 1: user differ/],
    ['UPDATE calls SET response = NULL WHERE seq = 2', /calls 2: response differ/],
    ["UPDATE names SET name = 'nobody' WHERE name = 'assistant'", /names \d+: name differ/],
    ['UPDATE versions SET status = NULL', /versions \d+: status differ/],
    ['UPDATE policies SET active = active + 1', /policies \d+: active differ/],
    ['UPDATE tasks SET host = agent', /tasks \d+: host differ/],
    ['DELETE FROM pins', /pins .*: a row is missing or was put in/],
    ['DELETE FROM identities WHERE seq = 1', /identities .*: a row is missing or was put in/],
    ['UPDATE streams SET events = events - 1, last = 1', /streams \S+: events, last differ/],
    ["UPDATE streams SET chain = x'00'", /streams \S+: chain differ/],
    ['UPDATE blocks SET max_ms = min_ms', /blocks 1: max_ms differ/],
    ['DELETE FROM block_names WHERE kind = 1', /block_names .*: a row is missing or was put in/],
  ];
  test('a row of any other kind in the index is changed, or deleted', () => {
    for (const [sql, found] of EDITS) {
      const copy = folder.copy();
      copy.edit((db) => db.exec(sql), 'audit-index.db');
      assert.match(copy.check().damages.join('\n'), found, sql);
    }
  });
});

describe('falsified checkpoints are found', () => {
  test('a folder that nobody touched is whole', () => {
    const { damages, summary } = folder.copy().check();
    assert.deepEqual(damages, []);
    assert.match(
      summary,
      /^checked: \d+ events in \d+ streams, \d+ checkpoints, .* checkpoints of the witness; 0 damages$/,
    );
  });

  test('the whole folder is rolled back', async () => {
    const copy = folder.copy('older');
    assert.match(copy.check().damages.join('\n'), /the log is behind its witness/);
    await assert.rejects(copy.start(), /the log is behind its witness/);
  });

  test('a rollback that a forged LogRestored disguises is a warning, with the checkpoints of the witness beyond it', () => {
    const copy = folder.copy();
    assert.deepEqual(copy.check().warnings, []);
    copy.edit((db) => {
      db.exec("DELETE FROM events WHERE position >= (SELECT max(position) - 12 FROM events WHERE category = 'calls')");
      db.exec('DELETE FROM payloads WHERE position > (SELECT max(position) FROM events)');
      forgeRestore(db);
    });
    for (const name of ['seal.db', 'audit-index.db'])
      for (const end of ['', '-wal', '-shm']) rmSync(join(copy.dataDir, name + end), { force: true });
    const { damages, warnings } = copy.check();
    assert.deepEqual(damages, []);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? '',
      /^warning: the log was restored at position \d+ \(2026-\S+Z\) from a backup of \S+Z: [1-9]\d* checkpoints of the witness are not in this log, with up to [1-9]\d* leaves that it lacks$/,
    );
  });

  test('a checkpoint is of another key', async () => {
    const copy = folder.copy();
    const other = generateKeyPairSync('ed25519').privateKey;
    copy.edit(
      dataOf('CheckpointSealed', ({ note, size, root }) => {
        const origin = String(note).split('\n')[0] ?? '';
        return {
          note: signCheckpoint(
            { origin, size: Number(size), root: parseHash(String(root)) ?? Buffer.alloc(32) },
            other,
          ),
        };
      }),
    );
    assert.match(
      copy.check().damages.join('\n'),
      /checkpoint \d+ \(size \d+\): the checkpoint was signed by another key|signature/,
    );
    await assert.rejects(copy.start(), /log-key\.pem/);
  });

  test('the key of the log is replaced', async () => {
    const copy = folder.copy();
    const other = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(join(copy.dataDir, 'log-key.pem'), other);
    assert.match(copy.check().damages.join('\n'), /signed by another key/);
    await assert.rejects(copy.start(), /log-key\.pem.*another key/);
  });

  test('a changed row of the map in the file of the sealer: it makes the file again from the log', async () => {
    const copy = folder.copy();
    copy.edit((db) => db.exec('UPDATE streams SET chain = zeroblob(32)'), 'seal.db');
    const service = await copy.start();
    await addPrincipal(service, ['auditor']);
    await service.stop('keep');
    assert.deepEqual(copy.check().damages, []);
  });

  test('changed counts in the file of the sealer: it makes the file again from the log', async () => {
    const copy = folder.copy();
    copy.edit((db) => db.exec('UPDATE state SET events = events + 1'), 'seal.db');
    const service = await copy.start();
    await addPrincipal(service, ['auditor']);
    await service.stop('keep');
    assert.deepEqual(copy.check().damages, []);
  });

  test('a hash of a tile is changed', () => {
    const copy = folder.copy();
    copy.edit((db) => db.exec('UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE id = 0'), 'seal.db');
    assert.match(
      copy.check().damages.join('\n'),
      /^seal\.db: tile\/0\/000 has another hash 0 than the log, and \d+ more: /,
    );
  });

  test('an older checkpoint is passed off as the new one', () => {
    const copy = folder.copy();
    copy.edit((db) => {
      const [first] = rowsOf(db, 'CheckpointSealed');
      const older = parseEvent(first?.json ?? '').data as object;
      dataOf('CheckpointSealed', () => older)(db);
    });
    assert.match(copy.check().damages.join('\n'), /the tree is not larger than the one before/);
  });
});
