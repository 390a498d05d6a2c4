import assert from 'node:assert/strict';
import { parseEvent } from '../event-log/event.js';
import { relayGround, until } from '../../test/relay/ground.js';
import { memoryTopic, type MemoryTopic } from '../../test/relay/memory-topic.js';
import type { RelayProgress } from '../streams/relay-events.js';
import { test } from '../../test/support/testing.js';

/** What was acknowledged stays so: over the failures of a session, and over the loss of the lane. */

/** Longer than any of these tests: progress is never due to be recorded. */
const NEVER_MS = 60_000;

type Ground = Awaited<ReturnType<typeof relayGround>>;

const positionsIn = ({ records }: MemoryTopic): bigint[] =>
  records.map(({ headers }) => BigInt(headers?.['ce_position'] ?? ''));

async function recordedIn({ log }: Ground): Promise<string[]> {
  const events = await log.read('relay-events');
  return events.map(({ json }) => (parseEvent(json).data as RelayProgress).position);
}

const relayedIn = async (ground: Ground): Promise<bigint[]> => (await ground.relayed()).map(({ position }) => position);

test('two sends succeed and the third fails: the next session sends the third alone, and the two are recorded', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const lane = ground.events(topic, {}, NEVER_MS);
  let second = 0n;
  for (let count = 0; count < 2; count += 1) {
    second = await ground.fact();
    await until(() => lane.status().position >= second);
  }
  topic.failNext('failed');
  const third = await ground.fact();
  await until(() => lane.status().position >= third);
  assert.equal(topic.opened, 2);
  assert.deepEqual(positionsIn(topic), await relayedIn(ground), 'each is there once');
  assert.equal((await recordedIn(ground)).at(-1), String(second));
});

test('what was acknowledged and could not be recorded is not sent again either', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const lane = ground.events(topic, {}, NEVER_MS);
  const first = await ground.fact();
  await until(() => lane.status().position >= first);
  const { append } = ground.log;
  topic.failNext('failed');
  ground.log.append = async (batch) => {
    if (batch.writes.some(({ stream }) => stream === 'relay-events')) throw new Error('the disk is full');
    return append(batch);
  };
  const next = await ground.fact();
  await until(() => lane.status().position >= next);
  assert.deepEqual(await recordedIn(ground), ['0']);
  assert.deepEqual(positionsIn(topic), await relayedIn(ground));
});

test('who gets the lane back goes on behind what either of them has sent', async (t) => {
  const ground = await relayGround(t);
  const [topic, other] = [memoryTopic(), memoryTopic()];
  const first = ground.events(topic, {}, NEVER_MS);
  const sent = await ground.fact();
  await until(() => first.status().position >= sent);
  // Takes the lane where progress was last recorded, gets nothing out, and ends.
  const second = ground.events(other, { exclusive: true }, NEVER_MS);
  other.failNext(...Array.from({ length: 100 }, () => 'failed' as const));
  await until(() => second.status().reason !== undefined && first.status().state === 'standing_by');
  await second.stop();
  assert.equal((await recordedIn(ground)).at(-1), '0', 'the lane was lost, and so was what it had not recorded');
  const next = await ground.fact();
  await until(() => first.status().position >= next);
  assert.deepEqual(positionsIn(topic), await relayedIn(ground));
  // This one gets something out, and records it.
  const third = ground.events(memoryTopic(), { exclusive: true }, NEVER_MS);
  await until(() => third.status().state === 'sending' && first.status().state === 'standing_by');
  const elsewhere = await ground.fact();
  await until(() => third.status().position >= elsewhere);
  await third.stop();
  const last = await ground.fact();
  await until(() => first.status().position >= last);
  assert.deepEqual(
    positionsIn(topic),
    (await relayedIn(ground)).filter((position) => position !== elsewhere),
  );
});
