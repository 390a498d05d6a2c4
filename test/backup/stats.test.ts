import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decide } from '../support/calls.js';
import { startService, type Answered } from '../support/service.js';
import { test } from '../support/testing.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { sallyport } from './ground.js';

/** `sallyport stats` reads a data folder, also that of a running service. */

test('stats counts events, bytes, tasks and keys of a running service, and changes nothing', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  await readyWorld(service);
  const tasks = [await openTask(service), await openTask(service), await openTask(service)];
  for (const task of tasks) await decide(service, task);
  const of = (index: number, verb: string) => `/v1/tasks/${tasks[index]?.taskId}/${verb}`;
  expecting(200, await service.call('host', 'POST', of(1, 'close'), {}));
  expecting(200, await service.call('admin', 'POST', of(2, 'shred'), { reason: 'request 4711' }));

  const printed = await sallyport(service.dataDir, 'stats', '--json');
  assert.equal(printed.code, 0, printed.err);
  const stats: Answered = JSON.parse(printed.out);
  const { log } = service.service.stores;
  // The service may have sealed the log meanwhile.
  const events = (await log.readAll({ after: 0n, limit: 10_000 })).filter(({ stream }) => stream !== 'seal');
  const bytes = events.reduce((sum, { json }) => sum + Buffer.byteLength(json), 0);
  const counted = stats.events.byType.filter(({ category }: Answered) => category !== 'seal');
  const sum = (member: string) => counted.reduce((total: number, each: Answered) => total + each[member], 0);
  assert.deepEqual([sum('events'), sum('bytes')], [events.length, bytes]);
  const decided = stats.events.byType.find(({ type }: Answered) => type === 'CallDecided');
  assert.deepEqual([decided.category, decided.events], ['calls', 3]);
  assert.deepEqual(stats.tasks, { all: 3, open: 1, ended: 2, shredded: 1 });
  assert.deepEqual(stats.keys, { tasks: 2, shredded: 1, users: 1 });
  assert.ok(stats.newest >= JSON.parse(events.at(-1)?.json ?? '').time);
  const calls = events.filter(({ stream }) => stream.startsWith('calls-'));
  const payloads = await log.payloads(calls);
  const ofCalls =
    calls.reduce((sum, { json }) => sum + Buffer.byteLength(json), 0) +
    payloads.reduce((sum, payload) => sum + (payload?.byteLength ?? 0), 0);
  assert.equal(stats.bytesPerCall, Math.round(ofCalls / 3));
  assert.equal(stats.growthPerDay, stats.events.bytes + stats.payloads.bytes);

  const text = await sallyport('/nowhere', 'stats', service.dataDir);
  assert.match(text.out, /^tasks +3: 1 open, 2 ended; 1 shredded$/m);
  assert.match(text.out, /calls {2}CallDecided$/m);
});

test('stats of a folder without a log is refused in one line', async () => {
  const { code, err } = await sallyport(join(tmpdir(), 'sallyport-none'), 'stats');
  assert.equal(code, 1);
  assert.match(err, /^sallyport: .*sallyport-none\/sallyport\.db does not exist: .*\n$/);
});
