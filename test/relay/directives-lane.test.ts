import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Beat } from '../../libs/feed/beat.js';
import { stateRoot } from '../../libs/directive/decider.js';
import type { DirectivesLane } from '../../libs/relay/directives-lane.js';
import { relayGround, stateOf, until } from './ground.js';
import { memoryTopic, type MemoryTopic } from './memory-topic.js';
import { test } from '../support/testing.js';

/** The lane of directives: the last record under each key is the truth, even if others have written there. */

const HEARTBEAT = 'heartbeat';
/** The records of relays, in order. */
const beatsIn = (topic: MemoryTopic): Beat[] =>
  topic.records.filter(({ value }) => value.includes('"signature"')).map(({ value }) => JSON.parse(value) as Beat);

/** A host's view of the topic, read from the beginning: its active directives have to have the root. */
function assertSound(topic: MemoryTopic, active: readonly string[]): void {
  const state = stateOf(topic.records);
  const newest = [...state.values()].reduce((a, b) => (b.epoch >= a.epoch && b.issuedAt >= a.issuedAt ? b : a));
  const directives = [...state.values()].flatMap(({ directive }) => (directive?.state === 'active' ? [directive] : []));
  assert.deepEqual(directives.map(({ id }) => id).sort(), [...active].sort());
  assert.equal(stateRoot(directives), newest.stateRoot);
  // No beat claims an epoch before the directive of that epoch is on the topic.
  let epoch = 0;
  for (const beat of beatsIn(topic)) {
    if (beat.directive === undefined && beat.active === undefined) assert.ok(beat.epoch <= epoch, 'a hasty heartbeat');
    epoch = Math.max(epoch, beat.epoch);
  }
}

/** The first directive of a lane that runs, lifted since and both said, and the record that it was active in. */
async function saidAndLifted(
  ground: Awaited<ReturnType<typeof relayGround>>,
  topic: MemoryTopic,
  lane: DirectivesLane,
) {
  const id = await ground.issue();
  await until(() => stateOf(topic.records).has(id));
  const old = topic.records.find(({ key }) => key === id);
  assert.ok(old);
  await ground.lift(id);
  await until(() => lane.status().epoch === 2 && lane.status().waiting === 0 && topic.readers === 1);
  return { id, old };
}

test('says what is active at the start, then each change at once, and beats between', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const old = await ground.issue();
  const lane = ground.directives(topic);
  await until(() => topic.records.length === 2);
  assert.deepEqual(
    beatsIn(topic)[0]?.active?.map(({ id }) => id),
    [old],
  );
  const next = await ground.issue();
  await until(() => stateOf(topic.records).has(next));
  await ground.lift(old);
  await until(() => stateOf(topic.records).get(old)?.directive?.state === 'lifted');
  await until(() => topic.records.at(-1)?.key === HEARTBEAT);
  assertSound(topic, [next]);
  assert.deepEqual(lane.status().epoch, 3);
  assert.deepEqual(lane.status().foreign, 0);
  assert.deepEqual(lane.status().waiting, 0);
});

for (const fault of ['failed', 'persisted', 'hung', 'late'] as const) {
  test(`after a send that is ${fault} everything is said anew, and no beat runs ahead`, async (t) => {
    const ground = await relayGround(t);
    const topic = memoryTopic();
    const lane = ground.directives(topic);
    const first = await ground.issue();
    await until(() => lane.status().epoch === 1);
    topic.failNext(fault);
    await ground.lift(first);
    const second = await ground.issue();
    await until(() => lane.status().epoch === 3 && lane.status().waiting === 0 && topic.readers === 1);
    topic.thaw();
    await until(() => lane.status().foreign === (fault === 'late' ? 1 : 0));
    await until(() => stateOf(topic.records).get(first)?.directive?.state === 'lifted');
    await pause(20);
    assertSound(topic, [second]);
    assert.equal(topic.opened, 2);
  });
}

test('a heartbeat that saw a directive before it was sent waits for it', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  let beaten = 0;
  const heartbeat = async (): Promise<Beat> => {
    // It is committed between the moment in which the lane decides to beat and its look at the log.
    if ((beaten += 1) === 1) await ground.issue();
    return ground.beatSigner.heartbeat();
  };
  ground.directives(topic, {}, { heartbeat });
  await until(() => beaten === 2 && topic.records.length >= 3);
  assert.deepEqual(
    beatsIn(topic)
      .map(({ epoch, directive }) => [epoch, directive?.epoch])
      .slice(0, 3),
    [
      [0, undefined],
      [1, 1],
      [1, undefined],
    ],
  );
});

test('while the brokers are away the stops wait, and are there when they are back', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const lane = ground.directives(topic);
  await until(() => lane.status().state === 'sending' && topic.records.length > 0);
  topic.error = new Error('away');
  const ids = [await ground.issue(), await ground.issue(), await ground.issue()];
  await ground.lift(ids[0] ?? '');
  await until(() => lane.status().state === 'connecting' && lane.status().waiting === 3);
  topic.error = undefined;
  await until(() => lane.status().epoch === 4);
  assertSound(topic, ids.slice(1));
});

test('what a deposed relay writes late is overwritten by the one who took over', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic(60_000);
  const first = ground.directives(topic);
  const id = await ground.issue();
  await until(() => first.status().epoch === 1 && topic.records.length > 0);
  // Its next words hang between it and the brokers, for longer than it keeps the lane.
  topic.failNext('late');
  const stuck = await ground.issue();
  const second = ground.directives(topic);
  await until(() => second.status().state === 'sending' && second.status().epoch === 2 && topic.readers === 2);
  await ground.lift(stuck);
  await until(() => stateOf(topic.records).get(stuck)?.directive?.state === 'lifted');
  assertSound(topic, [id]);
  topic.thaw();
  assert.equal(stateOf(topic.records).get(stuck)?.directive?.state, 'active', 'the late word stands there now');
  await until(() => stateOf(topic.records).get(stuck)?.directive?.state === 'lifted');
  await pause(20);
  assertSound(topic, [id]);
  assert.ok(second.status().foreign > 0);
});

test('what was left behind is put right by whoever takes over later', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const before = ground.directives(topic);
  const id = await ground.issue();
  await until(() => stateOf(topic.records).has(id));
  await before.stop();
  await ground.lift(id);
  ground.directives(topic, { exclusive: true });
  await until(() => stateOf(topic.records).get(id)?.directive?.state === 'lifted');
  assertSound(topic, []);
});

test('a heartbeat of somebody else, or one of old, does not stay the last', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  ground.directives(topic);
  const id = await ground.issue();
  await until(() => stateOf(topic.records).has(id) && topic.readers === 1);
  const old = topic.records.find(({ key }) => key === HEARTBEAT);
  assert.ok(old);
  topic.write({ key: HEARTBEAT, value: old.value });
  topic.write({ key: HEARTBEAT, value: 'no JSON' });
  topic.write({ key: id, value: '{}' });
  const isSaid = (key: string): boolean => {
    const last = topic.records.findLast((record) => record.key === key);
    return last?.value.includes('"signature"') === true && last.value !== old.value;
  };
  await until(() => isSaid(id) && isSaid(HEARTBEAT));
  assertSound(topic, [id]);
});

test('who has lost the lane asks the log before it sends, and does not', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const other = memoryTopic();
  const first = ground.directives(topic);
  await until(() => first.status().sent > 0);
  const second = ground.directives(other, { exclusive: true });
  await until(() => second.status().state === 'sending');
  const { length } = topic.records;
  const id = await ground.issue();
  await until(() => stateOf(other.records).has(id));
  await until(() => first.status().state === 'standing_by');
  assert.equal(topic.records.length, length);
});

test('a lift that comes while all is said anew stands on the topic, too', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  let lifting: string | undefined;
  const lane = ground.directives(
    topic,
    {},
    {
      async restatement(lifted) {
        const id = lifting;
        lifting = undefined;
        if (id !== undefined) await ground.lift(id);
        return ground.beatSigner.restatement(lifted);
      },
    },
  );
  const [id, other] = [await ground.issue(), await ground.issue()];
  await until(() => lane.status().epoch === 2 && topic.readers === 1);
  lifting = id;
  topic.write({ key: other, value: '{}' });
  await until(() => lane.status().epoch === 3 && lane.status().state === 'sending');
  await until(() => stateOf(topic.records).get(id)?.directive?.state === 'lifted', undefined, 2_000);
  await until(() => lane.status().waiting === 0);
  assertSound(topic, [other]);
});

test('an older word of its own does not stay the last either', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const lane = ground.directives(topic);
  const { id, old } = await saidAndLifted(ground, topic, lane);
  await pause(20);
  assert.equal(lane.status().foreign, 0);
  topic.write(old);
  const isLifted = (): boolean => stateOf(topic.records).get(id)?.directive?.state === 'lifted';
  await until(isLifted, undefined, 2_000);
  assertSound(topic, []);
  const beat = topic.records.findLast(({ key }) => key === HEARTBEAT);
  topic.write({ key: id, value: beat?.value ?? '' });
  await until(isLifted, undefined, 2_000);
});

test('an older word of a lifted one that comes while it is said anew does not stay the last', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const { open } = topic;
  let meanwhile: (() => void) | undefined;
  topic.open = async (signal) => {
    const sender = await open(signal);
    return {
      discard: () => sender.discard(),
      async send(records) {
        await sender.send(records);
        if (!records.some(({ value }) => value.includes('"lifted"'))) return;
        meanwhile?.();
        meanwhile = undefined;
      },
    };
  };
  const lane = ground.directives(topic);
  const { id, old } = await saidAndLifted(ground, topic, lane);
  const foreign = { key: id, value: old.value.replace('"signature":"', '"signature":"x') };
  meanwhile = () => topic.write(foreign);
  topic.write(foreign);
  await until(() => lane.status().foreign === 2);
  await until(() => stateOf(topic.records).get(id)?.directive?.state === 'lifted', undefined, 2_000);
  assertSound(topic, []);
});

test('what is said at once fits a record in bytes, whatever the letters', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const lane = ground.directives(topic);
  for (let count = 0; count < 230; count += 1) await ground.issue('\u4e00'.repeat(2_000));
  await until(() => lane.status().epoch === 230 && topic.readers === 1);
  topic.write({ key: HEARTBEAT, value: '{}' });
  await until(
    () => topic.records.at(-1)?.key === HEARTBEAT && lane.status().foreign > 0 && lane.status().waiting === 0,
  );
  await pause(300);
  const largest = Math.max(...topic.records.map(({ value }) => Buffer.byteLength(value)));
  assert.ok(largest < 1_000_000, `${largest} bytes`);
});

test('a record whose readable members say lifted, and whose signed bytes say active, does not stay the last', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const first = ground.directives(topic);
  const { id, old } = await saidAndLifted(ground, topic, first);
  await first.stop();
  const beat = JSON.parse(old.value) as Beat;
  const forged = JSON.stringify({ ...beat, directive: { ...beat.directive, state: 'lifted' } });
  topic.write({ key: id, value: forged });
  ground.directives(topic, { exclusive: true });
  await until(() => topic.records.findLast(({ key }) => key === id)?.value !== forged, undefined, 2_000);
  assertSound(topic, []);
});
