import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { batch, fact, write } from '../../../test/contracts/facts.js';
import { LogOverloaded } from '../port.js';
import { openSqliteLog } from './sqlite-log.js';

test('an urgent append is taken by a full queue, and committed before what waits in it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-urgent-'));
  const log = await openSqliteLog({ file: join(folder, 'log.db'), maxQueuedBatches: 200 });
  t.after(async () => {
    await log.close();
    rmSync(folder, { recursive: true, force: true });
  });
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
