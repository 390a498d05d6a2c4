import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { digestOfBytes } from '../../libs/kernel/digest.js';
import { reseal, rowsOf } from '../seal/ground.js';
import { addPrincipal } from '../support/actors.js';
import { sallyportIn } from '../backup/ground.js';
import { after, before, test } from '../support/testing.js';
import { callBody, expecting } from '../support/world.js';
import {
  archive,
  archiveOf,
  assertWhole,
  commandOn,
  countIn,
  endedTraces,
  inLog,
  listsOf,
  startIn,
  type Ground,
} from './ground.js';

let ground: Ground;
before(async () => {
  ground = await endedTraces();
});
after(() => ground.remove());

test('closed traces are archived: the bundles verify offline, and the log records the archive once', async () => {
  const folder = ground.copy();
  const { out } = await archive(folder);
  assert.match(
    out,
    /^archived 2 traces with \d+ events to .*: each bundle was verified, 0 of them as far as they go\n/,
  );
  const [list] = listsOf(folder);
  assert.ok(list !== undefined);
  assert.deepEqual(
    list.traces.map(({ traceId }) => traceId),
    folder.tasks.ended.map(({ traceId }) => traceId),
  );
  const key = inLog(folder, (db) =>
    JSON.parse(String(db.prepare("SELECT json FROM events WHERE type = 'TracesArchived'").get()?.['json'])),
  );
  assert.deepEqual([key.data.archivedTraces, key.actor], [2, 'system:archive']);
  for (const { file, digest } of list.traces) {
    const path = join(archiveOf(folder), file);
    assert.equal(digestOfBytes(readFileSync(path)), digest);
    const verifier = JSON.parse(readFileSync(path, 'utf8')).keys[0];
    const verified = await commandOn(folder, 'verify', path, '--key', verifier, '--witness', folder.witness);
    assert.match(verified.out, /^SOUND: trace \w{32} with 3 calls\n/);
  }
  await assertWhole(folder);
  assert.match((await archive(folder)).out, /^archived 0 traces/);
  assert.equal(countIn(folder, 'SELECT count(*) FROM pruned'), 0);
});

test('traces are removed with their content, and the rest of the log stays whole and provable', async () => {
  const folder = ground.copy();
  const first = inLog(
    folder,
    (db) => JSON.parse(String(db.prepare("SELECT json FROM events WHERE type = 'CallDecided'").get()?.['json'])).id,
  );
  assert.match((await archive(folder, '--prune', '--yes')).out, /removed 18 events with their content from the log/);
  assert.equal(countIn(folder, 'SELECT count(*) FROM pruned'), 18);
  assert.match(await assertWhole(folder), /18 events that were archived and removed/);
  for (const taskId of folder.tasks.ended.map((task) => task.taskId)) {
    const streams = `SELECT id FROM streams WHERE name IN ('calls-${taskId}', 'task-${taskId}')`;
    assert.equal(
      countIn(folder, `SELECT count(*) FROM payloads JOIN events USING (position) WHERE stream_id IN (${streams})`),
      0,
    );
    assert.equal(
      countIn(folder, `SELECT count(*) FROM events JOIN streams ON id = stream_id WHERE name = 'calls-${taskId}'`),
      0,
    );
  }
  // The sealer makes its own file again from what is left.
  for (const name of readdirSync(folder.dataDir).filter((each) => each.startsWith('seal.db')))
    rmSync(join(folder.dataDir, name));
  const service = await startIn(folder);
  const { items } = (await service.call('auditor', 'GET', '/v1/audit/checkpoints')).body;
  const [oldest, newest] = [items[0], items.at(-1)];
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/consistency?from=${oldest.size}&to=${newest.size}`));
  await addPrincipal(service, ['auditor']);
  const ids = inLog(folder, (db) =>
    ['TaskOpened', 'TaskClosed', 'TracesArchived'].map(
      (type) => JSON.parse(String(db.prepare('SELECT json FROM events WHERE type = ?').get(type)?.['json'])).id,
    ),
  );
  const statusOf = async (id: string): Promise<number> => {
    const headers = { authorization: `Bearer ${service.tokens.auditor}` };
    return (await fetch(`${service.url}/v1/audit/events/${id}/proof`, { headers })).status;
  };
  assert.deepEqual(await Promise.all([...ids, first].map(statusOf)), [200, 200, 200, 404]);
  const { later } = folder.tasks;
  const replay = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${later.traceId}/replay`));
  assert.equal(replay.identical, true);
  const listed = expecting(200, await service.call('auditor', 'GET', '/v1/audit/calls')).items;
  assert.equal(listed.length, 6);
  await service.stop('keep');
  await assertWhole(folder);
});

test('nothing is decided from what was removed: its calls are refused, and its task can be shredded', async () => {
  const folder = ground.copy();
  await archive(folder, '--prune', '--yes');
  const service = await startIn(folder);
  const [task] = folder.tasks.ended;
  const denied = expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
  assert.equal(denied.decision, 'deny');
  const late = { taskId: task.taskId, status: 'failed' };
  expecting(404, await service.call('host', 'POST', `/v1/calls/${denied.callId}/outcome`, late));
  expecting(200, await service.call('admin', 'POST', `/v1/tasks/${task.taskId}/shred`, { reason: 'request 1' }));
  await service.stop('keep');
  await assertWhole(folder);
});

test('a trace that was removed says where it is: in its report, its replay and its bundle', async () => {
  const folder = ground.copy();
  await archive(folder, '--prune', '--yes');
  const [task] = folder.tasks.ended;
  const archived = listsOf(folder)[0]?.traces[0];
  assert.ok(archived !== undefined);
  const service = await startIn(folder);
  const path = `/v1/audit/traces/${task.traceId}`;
  const trace = expecting(200, await service.call('auditor', 'GET', path));
  const [shown] = trace.tasks;
  const { file, digest } = archived;
  assert.deepEqual([shown.purpose, shown.user.attributes, shown.closeReason], ['archived', 'archived', 'archived']);
  assert.deepEqual([shown.archived.file, shown.archived.digest], [file, digest]);
  const recorded = expecting(200, await service.call('auditor', 'GET', '/v1/audit/events?types=TracesArchived'))
    .items[0];
  assert.deepEqual([shown.archived.position, shown.archived.time], [recorded.position, recorded.time]);
  assert.doesNotMatch(JSON.stringify(trace), /"(missing|damaged)"/);
  const replay = expecting(200, await service.call('auditor', 'GET', `${path}/replay`));
  assert.deepEqual([replay.identical, replay.archived], ['archived', [{ ...shown.archived, taskId: task.taskId }]]);
  const bundle = await service.call('auditor', 'GET', `${path}/bundle`);
  assert.equal(bundle.status, 404);
  assert.match(JSON.stringify(bundle.body), new RegExp(`archived and removed: its bundle is ${file}`));
  const cli = (...args: string[]) =>
    sallyportIn({ SALLYPORT_URL: service.url, SALLYPORT_TOKEN: service.tokens.auditor }, folder.dataDir, ...args);
  const hint =
    /an archive of traces, the last one of those that ended before \S+Z \(position \d+\)\. .* in its bundles/;
  const none = await cli('calls', '--task', task.taskId);
  assert.match(none.out, /^no such call\nThe log has /);
  assert.match(none.out, hint);
  const gone = await cli('call', 'd01ae1a2-f0a4-45b9-a200-3827b40f3b4b');
  assert.equal(gone.code, 4);
  assert.match(gone.err, hint);
  const told = await cli('trace', task.traceId);
  assert.equal(told.code, 0, told.err);
  assert.match(told.out, new RegExp(`archived +its calls were removed: see bundle ${file}`));
  const again = await cli('replay', task.traceId);
  assert.equal(again.code, 8, again.err);
  assert.match(again.out, /^ARCHIVED: the 0 decisions in the log come out the same again$/m);
  assert.match(again.out, new RegExp(`the calls of task ${task.taskId} are in bundle ${file}`));
  await service.stop('keep');
});

test('a log without removed events is backed up, restored and checked', async () => {
  const folder = ground.copy();
  await archive(folder, '--prune', '--yes');
  const backup = join(folder.dataDir, '..', 'backup');
  assert.equal((await commandOn(folder, 'backup', backup)).code, 0);
  const checked = await commandOn(folder, 'restore', '--check', backup);
  assert.equal(checked.code, 0, checked.err);
  const restored = { ...folder, dataDir: join(folder.dataDir, '..', 'restored') };
  assert.equal((await commandOn(folder, 'restore', backup, restored.dataDir)).code, 0);
  const service = await startIn(restored);
  await addPrincipal(service, ['auditor']);
  await service.stop('keep');
  assert.match(await assertWhole(restored), /18 events that were archived and removed/);
});

test('a trace with a sealed event that was written again is left out, and its bundle says where', async () => {
  const folder = ground.copy();
  const [broken, whole] = folder.tasks.ended;
  const position = inLog(folder, (db) => {
    const row = rowsOf(db, 'OutcomeRecorded').find(({ json }) => json.includes(String(broken.taskId)));
    if (row === undefined) throw new Error('the task has no outcome');
    reseal(db, row, () => ({ actor: 'somebody' }));
    return row.position;
  });
  const damaged = `the event at position ${position} is not the one that the checkpoints of the log have`;
  const args = ['archive', '--before', folder.before, '--out', archiveOf(folder)];
  const { code, out } = await commandOn(folder, ...args);
  assert.deepEqual([code, out.split('\n')[0]], [1, `left out: trace ${broken.traceId}: ${damaged}`]);
  assert.deepEqual(
    listsOf(folder).map(({ traces }) => traces.map(({ traceId }) => traceId)),
    [[whole?.traceId]],
  );
  const service = await startIn(folder);
  const answer = await service.call('auditor', 'GET', `/v1/audit/traces/${broken.traceId}/bundle`);
  await service.stop('keep');
  assert.deepEqual([answer.status, answer.body.code, answer.body.detail], [500, 'evidence_damaged', damaged]);
});

test('an archive needs a stopped service, a time that is past, and a person who agrees', async () => {
  const folder = ground.copy();
  const args = ['archive', '--before', folder.before, '--out', archiveOf(folder)];
  const unasked = await commandOn(folder, ...args, '--prune');
  assert.deepEqual([unasked.code, /--yes/.test(unasked.err)], [2, true]);
  const ahead = await commandOn(folder, 'archive', '--before', '2999-01-01', '--out', archiveOf(folder));
  assert.deepEqual([ahead.code, ahead.err], [2, 'sallyport: --before is in the future\n']);
  const wrong = await commandOn(folder, 'archive', '--before', 'soon', '--out', archiveOf(folder));
  assert.equal(wrong.code, 2);
  const nowhere = { ...folder, dataDir: join(folder.dataDir, '..', 'nowhere') };
  const empty = await commandOn(nowhere, ...args);
  assert.deepEqual([empty.code, /there is no log/.test(empty.err), existsSync(nowhere.dataDir)], [1, true, false]);
  const service = await startIn(folder);
  const busy = await commandOn(folder, ...args);
  await service.stop('keep');
  assert.equal(busy.code, 1);
  assert.match(busy.err, /another process is using/);
});
