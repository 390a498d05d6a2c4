import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { digestOfBytes } from '../../libs/kernel/digest.js';
import { toInstant } from '../../libs/kernel/time.js';
import { archiveWrite } from '../../libs/retention/facts.js';
import { leafHash } from '../../libs/transparency/hash.js';
import { after, before, test } from '../support/testing.js';
import { archive, commandOn, endedTraces, inLog, startIn, type Ended, type Ground } from './ground.js';

/** A deletion that is disguised as the removal of archived traces is found. The attacker has the data folder. */

let ground: Ground;
/** Its first traces are archived, and removed. */
let pruned: Ended;
before(async () => {
  ground = await endedTraces();
  pruned = ground.copy();
  await archive(pruned, '--prune', '--yes');
});
after(() => ground.remove());

const LATER = () => `calls-${ground.tasks.later.taskId}`;

/** Removes a stream up to a revision, with its payloads, as `sallyport archive --prune` does. */
function disguised(db: DatabaseSync, stream: string, last = Infinity): void {
  const rows = db
    .prepare('SELECT position, stream_id, revision, json FROM events JOIN streams ON id = stream_id WHERE name = ?')
    .all(stream);
  for (const { position, stream_id: streamId, revision, json } of rows.filter(
    (row) => Number(row['revision']) <= last,
  )) {
    db.prepare('INSERT INTO pruned VALUES (?, ?, ?, ?)').run(
      Number(position),
      Number(streamId),
      Number(revision),
      leafHash(String(json)),
    );
    db.prepare('DELETE FROM events WHERE position = ?').run(Number(position));
    db.prepare('DELETE FROM payloads WHERE position = ?').run(Number(position));
  }
}

interface Forged {
  readonly taskId: string;
  readonly calls: number;
  readonly traceId?: string;
  readonly before?: string;
}

/** Records an archive of a task behind the last checkpoint. The attacker cannot sign, but the service seals it at its next start. */
function forgedArchive(db: DatabaseSync, forged: Forged): void {
  const { taskId, calls, traceId = 'ab'.repeat(16), before: ended = '2026-01-01T00:00:00.000Z' } = forged;
  const trace = {
    traceId,
    file: 'x',
    digest: digestOfBytes(Buffer.from('x')),
    tasks: [{ taskId, calls }],
  };
  const list = Buffer.from(canonicalJson({ format: 1, before: ended, prune: true, traces: [trace] }));
  const digest = digestOfBytes(list);
  const time = toInstant(Date.now());
  const data = { before: time, archivedTraces: 1, archivedEvents: 1, checkpoint: { size: 1, root: '' }, digest };
  const known = db.prepare("SELECT id FROM streams WHERE name = 'archives'").get();
  const id = Number(
    known?.['id'] ?? db.prepare("INSERT INTO streams (name) VALUES ('archives')").run().lastInsertRowid,
  );
  const head = Number(
    db.prepare('SELECT coalesce(max(revision), 0) AS head FROM events WHERE stream_id = ?').get(id)?.['head'],
  );
  const [event] = archiveWrite(head, data, { actor: 'system:archive', time }).events;
  db.prepare("INSERT INTO events SELECT max(position) + 1, ?, ?, 'archives', 'TracesArchived', ? FROM events").run(
    id,
    head + 1,
    event?.json ?? '',
  );
  db.prepare('INSERT INTO blobs VALUES (?, ?)').run(digest, list);
}

type Attack = readonly [name: string, change: (db: DatabaseSync) => void, found: RegExp];

const NOT_NAMED = /^calls-\S+: \d+ events were removed, and no sealed archive names them$/m;
const NOT_SEALED = /checkpoint \d+ \(size \d+\): /;

const ATTACKS: readonly Attack[] = [
  ['calls that no archive has are removed', (db) => disguised(db, LATER()), NOT_NAMED],
  [
    'an archive of them is forged after the last checkpoint',
    (db) => {
      forgedArchive(db, { taskId: ground.tasks.later.taskId, calls: 9 });
      disguised(db, LATER());
    },
    NOT_NAMED,
  ],
  ['a part of the calls is removed', (db) => disguised(db, LATER(), 4), NOT_NAMED],
  [
    'a control stream is removed',
    (db) => disguised(db, 'capability-memory'),
    /^capability-memory: .*no sealed archive/m,
  ],
  ['a task is removed', (db) => disguised(db, LATER().replace('calls', 'task')), /^task-\S+: .*no sealed archive/m],
  ['the leaf of a removed event is deleted', (db) => db.exec('DELETE FROM pruned WHERE revision = 9'), NOT_SEALED],
  [
    'the leaf of a removed event is changed',
    (db) => db.exec('UPDATE pruned SET leaf = zeroblob(32) WHERE revision = 3'),
    NOT_SEALED,
  ],
  [
    'two leaves are swapped',
    (db) => db.exec('UPDATE pruned SET leaf = (SELECT leaf FROM pruned WHERE revision = 1) WHERE revision = 2'),
    NOT_SEALED,
  ],
  ['all that was removed is denied', (db) => db.exec('DELETE FROM pruned'), NOT_SEALED],
  [
    'the list of the archive is deleted',
    (db) => db.exec(`DELETE FROM blobs WHERE instr(cast(bytes AS TEXT), '"prune":true') > 0`),
    /document sha256:[0-9a-f]{64}: is missing, and archives@1 names it/,
  ],
  [
    'the list of the archive is changed',
    (db) =>
      db.exec(
        `UPDATE blobs SET bytes = cast(bytes || x'20' AS BLOB) WHERE instr(cast(bytes AS TEXT), '"prune":true') > 0`,
      ),
    /document sha256:[0-9a-f]{64}: has other bytes/,
  ],
];

for (const [name, change, found] of ATTACKS) {
  test(`found: ${name}`, async () => {
    const folder = ground.copy(pruned);
    inLog(folder, change);
    const { code, out } = await commandOn(folder, 'check');
    assert.equal(code, 1, out);
    assert.match(out, found);
  });
}

test('content that is deleted from a trace that was archived and not removed is found', async () => {
  const folder = ground.copy();
  await archive(folder);
  inLog(folder, (db) =>
    db.exec("DELETE FROM payloads WHERE position = (SELECT min(position) FROM events WHERE type = 'CallDecided')"),
  );
  const { code, out } = await commandOn(folder, 'check');
  assert.equal(code, 1, out);
  assert.match(out, /the payload of calls-\S+@1 is missing/);
});

/** A forged archive that the service seals, what is removed after that, and what finds it. */
type SealedForgery = readonly [
  name: string,
  forged: () => Forged,
  remove: (db: DatabaseSync, taskId: string) => void,
  found: RegExp,
];

const CALL_EVENTS = 9;
const removeCalls = (db: DatabaseSync, taskId: string): void => disguised(db, `calls-${taskId}`);
const removePayload = (db: DatabaseSync, taskId: string): void => {
  const first = 'SELECT min(position) FROM events JOIN streams ON id = stream_id WHERE name = ?';
  db.prepare(`DELETE FROM payloads WHERE position = (${first})`).run(`task-${taskId}`);
};
const taken = ({ taskId, traceId }: Ground['tasks']['open']) => ({ taskId: String(taskId), traceId: String(traceId) });

const SEALED_FORGERIES: readonly SealedForgery[] = [
  [
    'of one call of an open task',
    () => ({ ...taken(ground.tasks.open), calls: 1, before: ground.before }),
    (db, taskId) => disguised(db, `calls-${taskId}`, 1),
    /^calls-\S+: 1 events were removed, and 8 events of the same calls are still there$/m,
  ],
  [
    'of all calls of an open task',
    () => ({ ...taken(ground.tasks.open), calls: CALL_EVENTS, before: ground.before }),
    removeCalls,
    /^calls-\S+: 9 events were removed, and its task was open at \S+, the time of the archive at position \d+$/m,
  ],
  [
    'of a task that ended later',
    () => ({ ...taken(ground.tasks.later), calls: CALL_EVENTS, before: ground.before }),
    removeCalls,
    /^calls-\S+: 9 events were removed, and its task ended after \S+, the time of the archive at position \d+$/m,
  ],
  [
    'of a time that is to come',
    () => ({ ...taken(ground.tasks.open), calls: CALL_EVENTS, before: '2099-01-01T00:00:00.000Z' }),
    removeCalls,
    NOT_NAMED,
  ],
  [
    'of another trace',
    () => ({ taskId: taken(ground.tasks.later).taskId, calls: CALL_EVENTS, before: new Date().toISOString() }),
    removeCalls,
    /^calls-\S+: 9 events were removed, and the archive at position \d+ names its task under another trace$/m,
  ],
  [
    'of the content of an open task alone',
    () => ({ ...taken(ground.tasks.open), calls: 0, before: ground.before }),
    removePayload,
    /the payload of task-\S+@1 is missing, and 9 events of the same calls are still there$/m,
  ],
];

for (const [name, forged, remove, found] of SEALED_FORGERIES) {
  test(`found, although the service sealed it: an archive ${name}`, async () => {
    const folder = ground.copy(pruned);
    const { taskId } = forged();
    inLog(folder, (db) => forgedArchive(db, forged()));
    await (await startIn(folder)).stop('keep');
    inLog(folder, (db) => remove(db, taskId));
    // The index would name the calls.
    for (const end of ['', '-wal', '-shm']) rmSync(join(folder.dataDir, `audit-index.db${end}`), { force: true });
    const { code, out } = await commandOn(folder, 'check');
    assert.equal(code, 1, out);
    assert.match(out, found);
    assert.match(out, /; 1 damages$/m);
  });
}
