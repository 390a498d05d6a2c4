import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { parseEvent } from '../../libs/event-log/event.js';
import { WrongTopic } from '../../libs/kafka/topic.js';
import { consumed, relayGround, until } from './ground.js';
import { memoryTopic } from './memory-topic.js';
import { test } from '../support/testing.js';

/** The lane of all events: nothing is missing and nothing out of order for a consumer that drops what it has seen. */

test('every event arrives in its order as a CloudEvent, the bookkeeping of relays left out', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  for (let index = 0; index < 450; index += 1) await ground.fact();
  ground.events(topic);
  const wanted = await ground.relayed();
  await until(() => topic.records.length === wanted.length);
  await ground.fact();
  await until(() => topic.records.length === wanted.length + 1);
  assert.deepEqual(
    topic.records.map(({ headers }) => headers?.['ce_id']),
    (await ground.relayed()).map(({ json }) => parseEvent(json).id),
  );
  assert.ok(topic.sends.every((batch) => batch.length <= 200));
  const [record] = topic.records;
  const event = parseEvent(wanted[0]?.json ?? '');
  assert.deepEqual(record, {
    key: event.stream,
    value: JSON.stringify(event.data),
    headers: {
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_dataschema: `urn:sallyport:event:${event.type}.v2`,
      ce_id: event.id,
      ce_type: `sallyport.${event.type}.v2`,
      ce_source: 'urn:test',
      ce_subject: event.stream,
      ce_time: event.time,
      ce_position: String(wanted[0]?.position),
    },
  });
});

for (const fault of ['failed', 'persisted', 'hung', 'late'] as const) {
  test(`a send that is ${fault} is repeated by another sender, and no consumer misses anything`, async (t) => {
    const ground = await relayGround(t);
    const topic = memoryTopic();
    const troubles: string[] = [];
    const lane = ground.events(topic, { onTrouble: (_, reason) => troubles.push(reason) });
    await ground.fact();
    await until(() => topic.records.length >= 2);
    topic.failNext(fault, fault);
    for (let index = 0; index < 300; index += 1) await ground.fact();
    const positions = (await ground.relayed()).map(({ position }) => position);
    await until(() => topic.records.some(({ headers }) => headers?.['ce_position'] === String(positions.at(-1))));
    topic.thaw();
    assert.deepEqual(consumed(topic.records), positions);
    assert.deepEqual([topic.opened, topic.discarded], [3, 2], 'who has failed lets go of its connections');
    assert.equal(lane.status().reason, undefined);
    assert.match(troubles[0] ?? '', fault === 'hung' || fault === 'late' ? /took longer than 500 ms/ : /ordered/);
  });
}

test('brokers that are away keep nothing from being recorded, and get it all when they are back', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const lane = ground.events(topic);
  await until(() => lane.status().sent > 0);
  topic.error = new Error('away');
  for (let index = 0; index < 20; index += 1) await ground.fact();
  await until(() => lane.status().state === 'connecting' && lane.status().reason === 'away');
  const { position } = lane.status();
  const positions = (await ground.relayed()).map((event) => event.position);
  assert.ok(position < (positions.at(-1) ?? 0n), 'what waits is to be seen');
  topic.error = undefined;
  await until(() => lane.status().position >= (positions.at(-1) ?? 0n));
  assert.deepEqual(consumed(topic.records), positions);
});

test('a topic that must not be used is not, and says why', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  topic.error = new WrongTopic('topic x is compacted');
  const lane = ground.events(topic);
  await ground.fact();
  await until(() => lane.status().state === 'wrong_topic');
  assert.equal(lane.status().reason, 'topic x is compacted');
  assert.deepEqual([topic.opened, await ground.log.head('relay-events')], [0, 0]);
});

test('progress is recorded now and then, from acknowledgements alone, and the next process goes on from there', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const first = ground.events(topic);
  for (let index = 0; index < 50; index += 1) await ground.fact();
  const sentTo = (await ground.relayed()).at(-1)?.position ?? 0n;
  await until(() => first.status().position >= sentTo);
  topic.failNext('failed', 'failed', 'failed', 'failed', 'failed', 'failed', 'failed', 'failed');
  const unsent = await ground.fact();
  await first.stop();
  const recorded = (await ground.log.read('relay-events')).map(({ json }) => parseEvent(json));
  const positions = recorded.map(({ data }) => BigInt((data as { position: string }).position));
  assert.ok(recorded.length <= 20, `${recorded.length} records for 51 events`);
  assert.equal(recorded[0]?.type, 'RelayLeaseTaken');
  assert.equal(positions.at(-1), sentTo);
  topic.failNext();
  const before = topic.records.length;
  const again = memoryTopic();
  const second = ground.events(again, { exclusive: true });
  await until(() => second.status().position >= unsent);
  assert.equal(topic.records.length, before);
  assert.deepEqual(consumed(again.records), [unsent]);
});

test('of two processes one sends; when it is silent the other takes over, and the first stops', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const cut = memoryTopic();
  // The first loses its brokers later, and then is the only one that has.
  const first = ground.events({ ...topic, prepare: cut.prepare, mark: cut.mark, open: openOrCut });
  async function openOrCut(signal: AbortSignal) {
    await cut.open(signal);
    const sender = await topic.open(signal);
    return {
      ...sender,
      send: async (batch: Parameters<typeof sender.send>[0]) => {
        await cut.prepare(signal);
        await sender.send(batch);
      },
    };
  }
  await ground.fact();
  await until(() => first.status().sent >= 2);
  const second = ground.events(topic);
  await until(() => second.status().state === 'standing_by');
  await ground.fact();
  await until(() => first.status().sent >= 3);
  await pause(400);
  assert.equal(second.status().state, 'standing_by', 'nothing waits, so nothing is owed');
  cut.error = new Error('away');
  await ground.fact();
  await until(() => second.status().state === 'sending' && second.status().sent > 0);
  cut.error = undefined;
  await until(() => first.status().state === 'standing_by');
  await ground.fact();
  const positions = (await ground.relayed()).map(({ position }) => position);
  await until(() => second.status().position >= (positions.at(-1) ?? 0n));
  assert.deepEqual(consumed(topic.records), positions);
  assert.equal(first.status().state, 'standing_by');
});

test('under a trickle progress is not recorded with each event', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const lane = ground.events(topic, {}, 60_000);
  for (let index = 0; index < 30; index += 1) {
    const position = await ground.fact();
    await until(() => lane.status().position >= position);
  }
  assert.ok(topic.sends.length > 10);
  assert.equal(await ground.log.head('relay-events'), 1);
  await lane.stop();
  assert.equal(await ground.log.head('relay-events'), 2, 'and once more when it stops');
});

test('who has lost the lane reads so in the log, and sends no more', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const first = ground.events(topic, {}, 60_000);
  await ground.fact();
  await until(() => first.status().sent >= 2);
  const other = memoryTopic();
  const second = ground.events(other, { exclusive: true });
  await until(() => second.status().state === 'sending');
  await until(() => first.status().state === 'standing_by');
  const { sent } = first.status();
  await ground.fact();
  await until(() => second.status().sent > 0);
  assert.equal(first.status().sent, sent);
});
