import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { TopicListener } from '../kafka/topic-reader.js';
import { relayGround, until } from '../../test/relay/ground.js';
import { memoryTopic } from '../../test/relay/memory-topic.js';
import { UNREAD_MS } from './listening.js';
import { test } from '../../test/support/testing.js';

/** What a lane says of itself: in its status, and once in the log of the service. */

/** Between two troubles that are reported. */
const TOLD_MS = 5_000;

test('brokers that are away at the start hide nothing of what was sent before, and nothing of what was not', async (t) => {
  const ground = await relayGround(t);
  const sent = await ground.fact();
  const before = ground.events(memoryTopic());
  await until(() => before.status().position >= sent);
  await before.stop();
  const topic = memoryTopic();
  topic.error = new Error('away');
  const events = ground.events(topic, { exclusive: true });
  const directives = ground.directives(topic, { exclusive: true });
  assert.equal(directives.status().waiting, 1, 'nobody knows what stands there');
  await until(() => events.status().reason === 'away' && directives.status().reason === 'away');
  assert.equal(events.status().position, sent);
  assert.equal(directives.status().waiting, 1);
  topic.error = undefined;
  await until(() => directives.status().waiting === 0);
});

test('an old trouble is none of a lane that sends', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic(60_000);
  topic.error = new Error('away');
  const lane = ground.events(topic);
  await until(() => lane.status().reason === 'away');
  topic.failNext('hung');
  topic.error = undefined;
  await until(() => topic.sends.length === 1);
  assert.deepEqual([lane.status().state, lane.status().reason], ['sending', undefined]);
});

test('a lasting trouble is reported once, even soon after another, and its end is reported once', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  const troubles: string[] = [];
  let recovered = 0;
  const lane = ground.events(topic, {
    onTrouble: (_, reason) => troubles.push(reason),
    onRecovered: () => (recovered += 1),
  });
  const fail = async (reason: string): Promise<void> => {
    topic.error = new Error(reason);
    await until(() => lane.status().reason === reason);
  };
  await fail('away');
  await fail('not allowed');
  assert.deepEqual(troubles, ['away']);
  ground.clock.advance(TOLD_MS);
  await until(() => troubles.length === 2, undefined, 3_000);
  ground.clock.advance(TOLD_MS);
  await pause(1_500);
  assert.deepEqual(troubles, ['away', 'not allowed']);
  assert.equal(recovered, 0);
  topic.error = undefined;
  await until(() => lane.status().sent > 0);
  await ground.fact();
  await until(() => lane.status().sent > 1);
  assert.equal(recovered, 1);
  ground.clock.advance(TOLD_MS);
  topic.error = new Error('not allowed');
  await ground.fact();
  await until(() => troubles.length === 3, undefined, 3_000);
  // Nothing waits, so the end of the trouble shows without a further record.
  topic.error = undefined;
  await until(() => recovered === 2);
});

test('a relay that cannot read its own topic says so while it lasts, and tells it once', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic();
  let listener: TopicListener | undefined;
  topic.follow = (given) => {
    listener = given;
    return { close: () => Promise.resolve() };
  };
  const troubles: string[] = [];
  let recovered = 0;
  const lane = ground.directives(topic, {
    onTrouble: (_, reason) => troubles.push(reason),
    onRecovered: () => (recovered += 1),
  });
  const given = await until(() => listener);
  const reason = (): string | undefined => lane.status().reason;
  ground.clock.advance(UNREAD_MS / 2);
  assert.equal(reason(), undefined);
  ground.clock.advance(UNREAD_MS / 2);
  assert.match(reason() ?? '', /^cannot read its own topic: /);
  given.onInterrupted('not authorized');
  assert.equal(reason(), 'cannot read its own topic: not authorized');
  assert.equal(lane.status().state, 'sending');
  await until(() => troubles.length > 0);
  await until(() => lane.status().sent >= 3);
  assert.deepEqual(troubles, ['cannot read its own topic: not authorized']);
  given.onLoaded([]);
  assert.equal(reason(), undefined);
  given.onLoaded([]);
  assert.equal(recovered, 1);
  given.onInterrupted('no record for 3000 ms');
  assert.equal(reason(), undefined);
  ground.clock.advance(UNREAD_MS);
  await until(() => troubles.length === 2);
  assert.equal(reason(), 'cannot read its own topic: no record for 3000 ms');
});
