import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';

test('a start reads the newest trace before it is ready, so that no auditor waits for what is done only once', async (t) => {
  const first = await startService();
  await readyWorld(first);
  const task = await openTask(first);
  expecting(200, await first.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
  await first.stop('keep');
  const read: string[] = [];
  const second = await startService({
    dataDir: first.dataDir,
    wrapLog: (log) => ({
      ...log,
      payloads: (places) => {
        read.push(...places.map(({ stream }) => stream));
        return log.payloads(places);
      },
    }),
  });
  t.after(() => second.stop());
  assert.ok(read.includes(`calls-${task.taskId}`), 'the content of the newest allow');
});
