import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { directiveFeedContract } from '../../../test/contracts/directive-feed.js';
import { feedModel } from '../../../test/support/feed-model.js';
import { uuid } from '../../../test/support/given.js';
import { eventOf, watchServer } from '../../../test/support/watch-server.js';
import { BeatContent, signBeat, verifiedContent } from '../beat.js';
import { sseFeed, type SseOptions } from './sse.js';
import { test, type TestContext } from '../../../test/support/testing.js';

const instanceId = randomUUID();

directiveFeedContract('server-sent events', async (model) => {
  const server = await watchServer(() => model.snapshot());
  return {
    feed: sseFeed({ url: server.url, token: () => 't', instanceId, maxWaitMs: 100 }),
    publish: (beat) => Promise.resolve(server.publish(beat)),
    interrupt: () => Promise.resolve(server.cut()),
    dispose: () => server.close(),
  };
});

async function followed(t: TestContext, options: Partial<SseOptions> = {}) {
  const model = feedModel();
  const server = await watchServer(() => model.snapshot());
  const feed = sseFeed({ url: server.url, token: () => 't', instanceId, maxWaitMs: 60, ...options });
  const beats: Readonly<Record<string, unknown>>[] = [];
  const interruptions: string[] = [];
  const subscription = feed.follow(() => 7, {
    onBeat: (beat) => void beats.push(beat),
    onLoaded: () => assert.fail('a watch loads no log'),
    onInterrupted: (reason) => void interruptions.push(reason),
  });
  t.after(async () => {
    await subscription.close();
    await server.close();
  });
  return { model, server, beats, interruptions };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

test('the watch says what the host has, and which instance it is', { timeoutMs: 20_000 }, async (t) => {
  const { server } = await followed(t);
  await until(() => server.asked.length > 0);
  assert.deepEqual(Object.fromEntries(server.asked[0] ?? []), { sinceEpoch: '7', instanceId });
});

test('events come whole through any cut of their bytes, comments and other events between', async (t) => {
  const { server, model, beats } = await followed(t);
  await until(() => beats.length === 1);
  const sent = [model.issue(uuid(1), { type: 'operation', capability: 'a', operation: 'ö€𝄞' }), model.heartbeat()];
  const [one, two] = sent.map((beat) => eventOf('directive', beat));
  const text = `: hello\r\n\r\nevent: other\ndata: {}\n\n${one}${two?.replaceAll('\n', '\r\n')}`;
  for (const byte of Buffer.from(text)) {
    server.write(Buffer.from([byte]) as unknown as string);
    if (byte === 10) await delay(1);
  }
  await until(() => beats.length === 3);
  assert.deepEqual(beats.slice(1), sent);
});

test('a connection on which nothing comes is dropped and opened again', { timeoutMs: 20_000 }, async (t) => {
  const { server, interruptions, beats, model } = await followed(t, { heartbeatMs: 40 });
  await until(() => beats.length === 1);
  server.greet = 'silence';
  await until(() => interruptions.length >= 2);
  assert.deepEqual([...new Set(interruptions)], ['nothing was heard']);
  server.greet = 'snapshot';
  await until(() => beats.length === 2);
  const told = interruptions.length;
  for (let beat = 0; beat < 10; beat += 1) {
    server.publish(model.heartbeat());
    await delay(20);
  }
  assert.equal(interruptions.length, told, 'one on which something comes stays');
});

test(
  'what is refused, unreadable or too large ends the connection and is tried again',
  { timeoutMs: 20_000 },
  async (t) => {
    const { server, interruptions, beats } = await followed(t, { maxEventChars: 2000 });
    const faults: [string, RegExp][] = [
      ['event: heartbeat\ndata: {"epoch":\n\n', /JSON/],
      ['event: heartbeat\ndata: [1]\n\n', /no beat/],
      [`event: heartbeat\ndata: ${'x'.repeat(3000)}`, /too large/],
      [`event: heartbeat\n${`data: ${'x'.repeat(900)}\n`.repeat(3)}\n`, /too large/],
    ];
    for (const [index, [text, reason]] of faults.entries()) {
      await until(() => beats.length === index + 1 && server.open === 1);
      server.write(text);
      await until(() => interruptions.length === index + 1);
      assert.match(interruptions[index] ?? '', reason);
    }
    await until(() => beats.length === faults.length + 1);
    server.greet = 401;
    server.cut();
    await until(() => interruptions.some((reason) => reason === 'HTTP 401'));
    server.greet = 'snapshot';
    await until(() => beats.length === faults.length + 2);
  },
);

test('a snapshot of very many directives fits, with its signed bytes', { timeoutMs: 20_000 }, async (t) => {
  const { server, model, beats } = await followed(t);
  await until(() => beats.length === 1);
  const { kid: _, signature: _signature, signed: _signed, ...said } = model.snapshot();
  const reason = 'x'.repeat(2_000);
  const active = Array.from({ length: 14_000 }, (_each, index) => ({
    id: uuid(index),
    epoch: 1,
    state: 'active' as const,
    target: { type: 'all' as const },
    reason,
    issuedBy: 'otto',
    issuedAt: said.issuedAt,
  }));
  server.publish(signBeat({ ...said, active }, model.key));
  await until(() => beats.length === 2);
  const content = BeatContent.parse(verifiedContent(beats[1] ?? {}, model.keys));
  assert.equal(content.active?.length, active.length);
});
