import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { relayGround, until } from '../../test/relay/ground.js';
import { test } from '../../test/support/testing.js';
import { families } from '../streams/catalogue.js';
import { NO_OUTLET, runSiemLane, type SiemOutput } from './siem-lane.js';

const PAGE = 3;

/** An output that keeps the positions of events, and fails as ordered. */
function memoryOutput(ground: Awaited<ReturnType<typeof relayGround>>) {
  const taken: bigint[] = [];
  const durable: bigint[] = [];
  let faults = 0;
  const output: SiemOutput = {
    deliverMs: 500,
    async deliver(after) {
      const page = await ground.log.readAll({ after, limit: PAGE });
      const wanted = page.filter(({ stream }) => !families.relay.has(stream));
      if (faults > 0) {
        faults -= 1;
        taken.push(...wanted.slice(0, 1).map(({ position }) => position));
        throw new Error('ordered');
      }
      taken.push(...wanted.map(({ position }) => position));
      return { to: page.at(-1)?.position ?? after, count: wanted.length, atEnd: page.length < PAGE };
    },
    async settle() {
      durable.splice(0, durable.length, ...taken);
    },
  };
  return { output, taken, durable, fail: (count: number) => void (faults = count) };
}

test('every event is delivered in order, at least once, and progress is recorded only of what is durable', async (t) => {
  const ground = await relayGround(t);
  const { log, clock } = ground;
  const told: string[] = [];
  const start = ({ output }: ReturnType<typeof memoryOutput>) => {
    const parts = {
      log,
      clock,
      time: { now: () => new Date().toISOString() },
      holder: randomUUID(),
      exclusive: true,
      checkpointMs: 20,
      latestCommit: () => latest,
      onTrouble: (lane: string, reason: string) => void told.push(`${lane} ${reason}`),
    };
    const lane = runSiemLane('siem-file', parts, NO_OUTLET, output);
    t.after(() => lane.stop());
    return lane;
  };
  let latest = 0n;
  const facts = async (count: number) => {
    for (let more = count; more > 0; more -= 1) await ground.fact();
    latest = await log.end();
  };
  const all = async () => (await ground.relayed()).map(({ position }) => position);

  await facts(7);
  const first = memoryOutput(ground);
  first.fail(2);
  const lane = start(first);
  await until(() => first.taken.length >= 9);
  await facts(2);
  const wanted = await all();
  await until(() => first.taken.includes(wanted.at(-1) ?? 0n));
  assert.deepEqual([...new Set(first.taken)], wanted);
  assert.deepEqual(told, ['siem-file ordered']);
  await lane.stop();
  assert.deepEqual(first.durable, first.taken);
  assert.ok(lane.status().position >= (wanted.at(-1) ?? 0n));

  const second = memoryOutput(ground);
  const next = start(second);
  await facts(1);
  await until(() => next.status().position >= latest);
  assert.deepEqual(second.taken, (await all()).slice(-1), 'it goes on where the first one stopped');
});
