import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { batch, fact, write } from '../../../test/contracts/facts.js';
import { LogOverloaded, type Recall } from '../port.js';
import { openSqliteLog } from './sqlite-log.js';
import { test, type TestContext } from '../../../test/support/testing.js';

/** A file for logs. When the test ends, the log that was opened last is closed and the folder of the file deleted. */
function placeOf(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-urgent-'));
  const file = join(folder, 'log.db');
  let opened: Awaited<ReturnType<typeof openSqliteLog>> | undefined;
  t.after(async () => {
    await opened?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    file,
    open: async (more: { readonly maxQueuedBatches?: number } = {}) =>
      (opened = await openSqliteLog({ file, ...more })),
  };
}

test('an urgent append is taken by a full queue, and committed before what waits in it', async (t) => {
  const log = await placeOf(t).open({ maxQueuedBatches: 200 });
  const payload = new Uint8Array(new SharedArrayBuffer(400_000)).fill(7);
  const large = (stream: string) => batch([{ stream, expected: 0, events: [fact(stream, 1, {}, payload)] }]);
  const waiting = Array.from({ length: 200 }, (_, index) => log.append(large(`calls-${index}`)));
  await assert.rejects(log.append(batch([write('directives', 0, 'plain')])), LogOverloaded);
  // It checks what is still on its way, and so comes after that alone.
  const stop = { ...batch([write('directives', 0, 'stop')], [{ stream: 'calls-20', expected: 1 }]), urgent: true };
  const stopped = await log.append(stop);
  const outcomes = await Promise.all(waiting);
  assert.ok(stopped.kind === 'committed');
  const before = outcomes.filter((each) => each.kind === 'committed' && each.position < stopped.position);
  assert.ok(before.length >= 21 && before.length < 60, `${before.length} came before it`);
  assert.ok(Buffer.from(payload).equals((await log.payload('calls-199', 1)) ?? Buffer.alloc(0)));
});

test('a large payload is written in parts before its event: others come before it, what rests on it does not', async (t) => {
  const { file, open } = placeOf(t);
  let log = await open();
  const payload = new Uint8Array(new SharedArrayBuffer(6_000_001));
  for (let at = 0; at < payload.length; at += 1) payload[at] = at % 251;
  const place = { stream: 'calls-large', revision: 1 };
  const large = log.append(
    batch([{ stream: 'calls-large', expected: 0, events: [fact('calls-large', 1, {}, payload)] }]),
  );
  const next = log.append(batch([write('calls-large', 1, 'next')]));
  const checks = log.append(batch([write('calls-other', 0, 'checks')], [{ stream: 'calls-large', expected: 2 }]));
  const free = await log.append(batch([write('calls-free', 0, 'free')]));
  const stop = await log.append({ ...batch([write('directives', 0, 'stop')]), urgent: true });
  const positions = (await Promise.all([large, next, checks])).map(
    (each) => each.kind === 'committed' && each.position,
  );
  assert.ok(free.kind === 'committed' && stop.kind === 'committed');
  assert.deepEqual([free.position, stop.position, ...positions], [1n, 2n, 3n, 4n, 5n]);
  assert.ok(Buffer.from(payload).equals((await log.payload(place.stream, place.revision)) ?? Buffer.alloc(0)));
  assert.deepEqual((await log.payloads([place, place]))[0]?.length, payload.length);
  // The identical batch again is the same one, whatever has been written of its payload meanwhile.
  const again = await log.append(
    batch([{ stream: 'calls-large', expected: 0, events: [fact('calls-large', 1, {}, payload)] }]),
  );
  assert.deepEqual(again, { kind: 'committed', position: 3n });
  await log.close();
  // What never got its event is gone after the next start.
  log = await open();
  const db = new DatabaseSync(file, { readOnly: true });
  t.after(() => db.close());
  const { parts } = db.prepare('SELECT count(*) AS parts FROM payload_parts').get() ?? {};
  assert.equal(parts, 12);
  assert.ok(Buffer.from(payload).equals((await log.payload(place.stream, place.revision)) ?? Buffer.alloc(0)));
});

test('parts of a batch that is refused, repeated or taken back are let go of at once', async (t) => {
  const { file, open } = placeOf(t);
  let log = await open();
  const db = new DatabaseSync(file, { readOnly: true });
  t.after(() => db.close());
  const held = () =>
    db.prepare('SELECT (SELECT count(*) FROM payload_parts) AS parts, (SELECT count(*) FROM staging) AS staged').get();
  const large = (stream: string, revision: number, bytes = 6_000_001) =>
    batch([
      {
        stream,
        expected: revision - 1,
        events: [fact(stream, revision, {}, new Uint8Array(new SharedArrayBuffer(bytes)))],
      },
    ]);
  const kept = large('calls-kept', 1);
  assert.deepEqual(await log.append(kept), { kind: 'committed', position: 1n });
  assert.equal((await log.append(large('calls-kept', 7))).kind, 'refused');
  assert.deepEqual(await log.append(kept), { kind: 'committed', position: 1n });
  assert.deepEqual({ ...held() }, { parts: 12, staged: 0 });
  const recall: Recall = {};
  const back = log.append(large('calls-back', 1, 33_000_000), recall);
  const groups = log.stats().groups;
  // The writer has been given a few of its parts by then.
  await log.append(batch([write('calls-other', 0, 'other')]));
  await log.append(batch([write('calls-other', 1, 'another')]));
  assert.ok(recall.takeBack?.());
  assert.deepEqual(await back, { kind: 'unwritten', cause: 'TAKEN_BACK' });
  assert.ok(log.stats().groups - groups < 40, 'the other parts were written all the same');
  assert.deepEqual({ ...held() }, { parts: 12, staged: 0 });
  // Tokens go on from what the file holds, whatever the clock says.
  await log.close();
  log = await open();
  assert.equal((await log.append(large('calls-next', 1))).kind, 'committed');
  assert.deepEqual(
    db
      .prepare('SELECT token FROM parted_payloads ORDER BY position')
      .all()
      .map(({ token }) => token),
    [1, 2],
  );
});
