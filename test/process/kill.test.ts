import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { everyEvent } from '../../libs/event-log/every-event.js';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import { verifySealed } from '../../libs/event-log/verify.js';
import type { Answered } from '../support/service.js';
import { openTask, readyWorld } from '../support/world.js';
import { ended, place } from './child.js';
import { hammer, isRecorded, moreAnswers, newLedger } from './ledger.js';
import { amount, chance } from './random.js';
import { test } from '../support/testing.js';

/** `kill -9` at any moment: every answer that a client received whole is on the disk. */

const KILLS = amount('KILLS', 20);
const CLIENTS = 8;
const TASKS = 3;
/** Answers before a kill; so many that some kills come in the middle of much and some at once. */
const MAX_ANSWERS = 150;

test(`${KILLS} times kill -9 while clients hammer: every allow that was received is in the trace`, async (t) => {
  const luck = chance();
  const told = `the seed was ${luck.seed}`;
  const { dataDir, start } = place(t);
  let service = await start();
  const { tokens } = service;
  await readyWorld(service);
  // One task lives through all kills; the others through one.
  const oldest = await openTask(service);
  const all = newLedger();
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const ledger = newLedger();
    const tasks: Answered[] = await Promise.all(Array.from({ length: TASKS }, () => openTask(service)));
    tasks.push(oldest);
    const clients = Array.from({ length: CLIENTS }, () => hammer(service, tasks, ledger, luck));
    await moreAnswers(ledger, luck.whole(1, MAX_ANSWERS), 2_000);
    await pause(luck.whole(0, 5));
    service.kill('SIGKILL');
    assert.deepEqual(await ended(service), { code: null, signal: 'SIGKILL' }, told);
    await Promise.all(clients);
    service = await start();
    assert.deepEqual(service.tokens, tokens, told);
    const fresh = tasks.filter(({ taskId }) => taskId !== oldest.taskId);
    for (const task of fresh) await isRecorded(service, task, ledger, `kill ${kill}, ${told}`);
    for (const key of ['allows', 'responses', 'outcomes'] as const) all[key].push(...(ledger[key] as never[]));
    // A repeat of what was received gets the recorded allow while it holds.
    const [received] = ledger.allows;
    if (received !== undefined) {
      const { status, body } = await service.call('host', 'POST', '/v1/calls/authorize', received.body);
      // Once it has its response it is over, also if the answer to that was lost with the service.
      const responded = status === 409 && body.code === 'call_finished';
      if (!responded) assert.deepEqual([status, body.decision], [200, 'allow'], told);
    }
  }
  await isRecorded(service, oldest, all, told);
  t.diagnostic(
    `${all.allows.length} allows, ${all.responses.length} responses, ${all.outcomes.length} outcomes received`,
  );
  assert.ok(all.allows.length > KILLS && all.responses.length > 0 && all.outcomes.length > 0, told);
  service.kill('SIGTERM');
  assert.deepEqual(await ended(service), { code: 0, signal: null });
  await hasNoGaps(`${dataDir}/sallyport.db`, told);
});

/** Each stream counts from 1 without a hole, positions rise, and each event is what its id says. */
async function hasNoGaps(file: string, told: string): Promise<void> {
  const log = await openSqliteLog({ file });
  try {
    const heads = new Map<string, number>();
    let after = 0n;
    for await (const { stream, revision, position, json } of everyEvent(log)) {
      assert.ok(position > after, told);
      assert.equal(revision, (heads.get(stream) ?? 0) + 1, `a gap in ${stream}: ${told}`);
      const sealed = verifySealed(json);
      assert.deepEqual([sealed?.stream, sealed?.revision], [stream, revision], told);
      heads.set(stream, revision);
      after = position;
    }
    for (const [stream, revision] of heads) assert.equal(await log.head(stream), revision, told);
  } finally {
    await log.close();
  }
}
