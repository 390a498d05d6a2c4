import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { parseEvent } from '../../../libs/event-log/event.js';
import { published } from '../../../libs/published/publish.js';
import type { Beat } from '../../../libs/feed/beat.js';
import { kafkaFeed } from '../../../libs/feed/kafka/kafka-feed.js';
import { openClient, type KafkaConnection } from '../../../libs/kafka/client.js';
import { openSender } from '../../../libs/kafka/sender.js';
import { directivesOutlet, eventsOutlet } from '../../../libs/relay/outlets.js';
import { committed, write } from '../../contracts/facts.js';
import { relayGround, stateOf, until } from '../../relay/ground.js';
import { startKafka, type TestKafka } from '../kafka/kafka.js';
import { keptOf, readTopic } from './reading.js';
import { after, before, describe, test, type TestContext } from '../../support/testing.js';

/** The relay on a real broker that is killed, frozen, misconfigured and written to by others. */

const SIZES = { partitions: 3, replication: 1 };
const BACKLOG = 50_000;
const WAIT_MS = 60_000;
/** As many as a reader of a topic takes in. */
const MAX_KEYS = 100_000;

describe('the relay on a real broker', () => {
  let kafka: TestKafka;
  let connection: KafkaConnection;
  before(async () => {
    kafka = await startKafka({ sessionMs: 2000 });
    connection = { brokers: [...kafka.brokers], clientId: 'relay-test' };
  });
  after(() => kafka?.stop());

  /** Topics of a test's own, gone with it where the broker is not ours. */
  function topics(t: TestContext) {
    const [events, directives] = [`test-events-${randomUUID()}`, `test-directives-${randomUUID()}`];
    t.after(async () => {
      if (!kafka.owned) await asAdmin((admin) => admin.deleteTopics({ topics: [events, directives] })).catch(() => {});
    });
    return {
      events,
      directives,
      toEvents: eventsOutlet(connection, SIZES, events),
      toDirectives: directivesOutlet(connection, SIZES, directives),
    };
  }
  async function asAdmin<Answer>(
    ask: (admin: ReturnType<ReturnType<typeof openClient>['kafka']['admin']>) => Promise<Answer>,
  ) {
    const client = openClient(connection);
    const admin = client.kafka.admin();
    await admin.connect();
    return ask(admin).finally(() => client.discard());
  }
  async function reading(t: TestContext, topic: string) {
    const opened = await readTopic(connection, topic);
    t.after(() => opened.stop());
    return opened;
  }

  test('every event arrives once in its partition, in order, with its headers and nothing else', async (t) => {
    const ground = await relayGround(t);
    const { events, toEvents } = topics(t);
    for (let index = 0; index < 500; index += 1) await ground.fact();
    const lane = ground.events(toEvents);
    const wanted = await ground.relayed();
    await until(
      () => lane.status().sent === wanted.length,
      () => JSON.stringify(lane.status().reason),
      WAIT_MS,
    );
    const { records } = await reading(t, events);
    await until(
      () => records.length === wanted.length,
      () => `${records.length} records of ${wanted.length}`,
      WAIT_MS,
    );
    assert.ok(new Set(records.map(({ partition }) => partition)).size === 3);
    assert.deepEqual(
      keptOf(records),
      wanted.map(({ position }) => position),
    );
    for (const { position, stream, json } of wanted) {
      const record = records.find(({ headers }) => headers['ce_position'] === String(position));
      const { id, type, time } = parseEvent(json);
      const { event, schema, data } = published({ stream, json });
      assert.deepEqual(record && { ...record, partition: 0 }, {
        partition: 0,
        key: stream,
        value: JSON.stringify(data),
        headers: {
          'content-type': 'application/json',
          ce_specversion: '1.0',
          ce_id: id,
          ce_type: `sallyport.${type}.v${event.schemaVersion}`,
          ce_dataschema: `urn:sallyport:event:${schema}`,
          ce_source: 'urn:test',
          ce_subject: stream,
          ce_time: time,
          ce_position: String(position),
        },
      });
    }
  });

  test('a broker killed with -9 and started again: nothing is missing, and the beats are back at once', async (t) => {
    if (!kafka.owned) return t.skip('not a process of ours');
    const ground = await relayGround(t);
    const { events, directives, toEvents, toDirectives } = topics(t);
    const lanes = [ground.events(toEvents), ground.directives(toDirectives)] as const;
    const beats: { readonly atMs: number; readonly beat: Partial<Beat> }[] = [];
    const loads: number[] = [];
    const feed = kafkaFeed({ connection, topic: directives }).follow(() => undefined, {
      onBeat: (beat) => void beats.push({ atMs: performance.now(), beat }),
      onLoaded: () => void loads.push(performance.now()),
      onInterrupted: () => undefined,
    });
    t.after(() => feed.close());
    await until(() => beats.length > 1 && lanes[0].status().sent > 0, undefined, WAIT_MS);
    const stopped = await ground.issue();
    await ground.fact();
    await kafka.kill();
    for (let index = 0; index < 300; index += 1) {
      await ground.fact();
      if (index % 100 === 0) await pause(500);
    }
    const late = await ground.issue();
    await until(() => lanes.every((lane) => lane.status().state === 'connecting'), undefined, WAIT_MS);
    const atMs = performance.now();
    await kafka.start();
    const upMs = performance.now();
    await until(() => beats.some((each) => each.atMs > atMs && each.beat.epoch === 2), undefined, WAIT_MS);
    const back = beats.find((each) => each.atMs > atMs)?.atMs ?? 0;
    t.diagnostic(`started again after ${Math.round(upMs - atMs)} ms; beats ${Math.round(back - upMs)} ms after that`);
    const positions = (await ground.relayed()).map(({ position }) => position);
    const { records } = await reading(t, events);
    await until(
      () => keptOf(records).at(-1) === positions.at(-1),
      () => JSON.stringify(lanes[0].status().reason),
      WAIT_MS,
    );
    await until(() => keptOf(records).length === positions.length, undefined, WAIT_MS);
    assert.deepEqual(keptOf(records), positions);
    const { records: said } = await reading(t, directives);
    await until(() => stateOf(said).has(late), undefined, WAIT_MS);
    assert.equal(stateOf(said).get(stopped)?.directive?.state, 'active');
  });

  test('a broker frozen for longer than the watchdog: nothing is missing and the last word stands', async (t) => {
    if (!kafka.owned) return t.skip('not a process of ours');
    const ground = await relayGround(t);
    const { events, directives, toEvents, toDirectives } = topics(t);
    const lane = ground.events({ ...toEvents, sendMs: 700 });
    const stops = ground.directives({ ...toDirectives, sendMs: 700 });
    const { records: said } = await (async () => {
      await until(() => stops.status().state === 'sending' && stops.status().sent > 0, undefined, WAIT_MS);
      return reading(t, directives);
    })();
    const id = await ground.issue();
    await until(() => stops.status().epoch === 1, undefined, WAIT_MS);
    // Both have to be sending, or one of them waits for longer than the readers of this test do.
    await until(() => lane.status().sent > 0 && lane.status().state === 'sending', undefined, WAIT_MS);
    kafka.freeze();
    await ground.fact();
    const other = await ground.issue();
    await until(() => /took longer/.test(stops.status().reason ?? ''), undefined, WAIT_MS);
    // The hanging record in the frozen broker is old: the directive is lifted meanwhile.
    await ground.lift(other);
    await until(() => /took longer/.test(lane.status().reason ?? ''), undefined, WAIT_MS);
    kafka.thaw();
    await until(() => stops.status().epoch === 3 && stops.status().waiting === 0, undefined, WAIT_MS);
    await until(() => stateOf(said).get(other)?.directive?.state === 'lifted', undefined, WAIT_MS);
    await pause(1500);
    assert.equal(stateOf(said).get(other)?.directive?.state, 'lifted');
    assert.equal(stateOf(said).get(id)?.directive?.state, 'active');
    const positions = (await ground.relayed()).map(({ position }) => position);
    const { records } = await reading(t, events);
    await until(() => keptOf(records).length === positions.length, undefined, WAIT_MS);
    assert.deepEqual(keptOf(records), positions);
  });

  test('two relays: one sends, the other takes over, and what comes late from the first is overwritten', async (t) => {
    const ground = await relayGround(t);
    const { directives, toDirectives, events, toEvents } = topics(t);
    const first = [ground.directives(toDirectives), ground.events(toEvents)] as const;
    const id = await ground.issue();
    await until(() => first[0].status().epoch === 1, undefined, WAIT_MS);
    // Both have to hold their lane before another relay is there to take one that nobody holds.
    await until(() => first[1].status().sent > 0, undefined, WAIT_MS);
    // Longer than the time between two checkpoints: by them it shows that a lane of events lives.
    const takeoverMs = 6500;
    const second = [ground.directives(toDirectives, { takeoverMs }), ground.events(toEvents, { takeoverMs })] as const;
    await pause(takeoverMs + 1500);
    assert.deepEqual(
      second.map((lane) => lane.status().state),
      ['standing_by', 'standing_by'],
    );
    await ground.fact();
    await first[0].stop();
    await first[1].stop();
    await ground.lift(id);
    await until(() => second[0].status().epoch === 2, undefined, WAIT_MS);
    const { records } = await reading(t, directives);
    await until(() => stateOf(records).get(id)?.directive?.state === 'lifted', undefined, WAIT_MS);
    const late = records.find(({ value }) => (JSON.parse(value) as Beat).directive?.state === 'active');
    assert.ok(late);
    const sender = await openSender(connection, directives, 5000);
    await sender.send([{ key: late.key, value: late.value }]);
    sender.discard();
    const isLate = () => records.findLastIndex(({ value }) => value === late.value);
    await until(() => isLate() > records.indexOf(late), undefined, WAIT_MS);
    await until(() => stateOf(records).get(id)?.directive?.state === 'lifted', undefined, WAIT_MS);
    const positions = (await ground.relayed()).map(({ position }) => position);
    const all = await reading(t, events);
    await until(() => keptOf(all.records).length === positions.length, undefined, WAIT_MS);
  });

  test(`a backlog of ${BACKLOG} events delays no directive`, async (t) => {
    const ground = await relayGround(t);
    const { directives, toDirectives, toEvents } = topics(t);
    const stops = ground.directives(toDirectives);
    const seen = new Map<string, number>();
    const feed = kafkaFeed({ connection, topic: directives }).follow(() => undefined, {
      onBeat: ({ directive }) => void seen.set((directive as { id?: string } | undefined)?.id ?? '', performance.now()),
      onLoaded: () => seen.set('loaded', 0),
      onInterrupted: () => undefined,
    });
    t.after(() => feed.close());
    for (let stream = 0; stream < BACKLOG / 1000; stream += 1) {
      const notes = Array.from({ length: 1000 }, (_, index) => ({ index, note: 'n'.repeat(800) }));
      await committed(ground.log, write(`backlog-${stream}`, 0, ...notes));
    }
    await until(() => seen.has('loaded') && stops.status().state === 'sending', undefined, WAIT_MS);
    const startedMs = performance.now();
    const lane = ground.events(toEvents);
    const latencies: number[] = [];
    while (lane.status().sent < BACKLOG) {
      const id = await ground.issue();
      const committedMs = performance.now();
      await until(
        () => seen.has(id),
        () => JSON.stringify(lane.status().reason),
        WAIT_MS,
      );
      latencies.push((seen.get(id) ?? Infinity) - committedMs);
      await pause(20);
    }
    const tookMs = performance.now() - startedMs;
    latencies.sort((a, b) => a - b);
    const at = (share: number): string => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(1);
    t.diagnostic(
      `${Math.round((BACKLOG / tookMs) * 1000)} events/s; ${latencies.length} directives meanwhile, from commit to consumer p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
    );
    assert.ok(latencies.length > 10);
    assert.ok((latencies.at(-1) ?? Infinity) < 1000);
  });

  test('a topic of too many keys is read again ever more rarely', async (t) => {
    const { directives, toDirectives } = topics(t);
    await toDirectives.prepare(AbortSignal.timeout(WAIT_MS));
    const sender = await openSender(connection, directives, WAIT_MS);
    t.after(() => sender.discard());
    for (let from = 0; from <= MAX_KEYS; from += 10_000) {
      const keys = Array.from({ length: 10_000 }, (_, index) => String(from + index));
      await sender.send(keys.map((key) => ({ key, value: '{}' })));
    }
    const reasons: string[] = [];
    const pauses: number[] = [];
    let interruptedMs: number | undefined;
    const reader = toDirectives.follow({
      onStarting: () => void (interruptedMs !== undefined && pauses.push(performance.now() - interruptedMs)),
      onLoaded: () => reasons.push('loaded'),
      onRecord: () => undefined,
      onInterrupted(reason) {
        reasons.push(reason);
        interruptedMs = performance.now();
      },
    });
    t.after(() => reader.close());
    await until(
      () => pauses.length === 4,
      () => reasons.join('; '),
      WAIT_MS,
    );
    assert.deepEqual([...new Set(reasons)], [`the topic has more than ${MAX_KEYS} keys`]);
    for (const [index, pauseMs] of pauses.entries()) assert.ok(pauseMs > 240 * 2 ** index, pauses.join());
  });

  test('a topic that is made has the right configuration; a wrong one is named and not used', async (t) => {
    const ground = await relayGround(t);
    const { events, directives, toEvents, toDirectives } = topics(t);
    await toDirectives.prepare(AbortSignal.timeout(WAIT_MS));
    await toDirectives.prepare(AbortSignal.timeout(WAIT_MS));
    const { resources } = await asAdmin((admin) => {
      const made = { type: kafkajs.ConfigResourceTypes.TOPIC, name: directives, configNames: ['max.message.bytes'] };
      return admin.describeConfigs({ resources: [made], includeSynonyms: false });
    });
    assert.equal(resources[0]?.configEntries[0]?.configValue, '1048588');
    const split = `${directives}-split`;
    const kept = `${directives}-kept`;
    const narrow = `${directives}-narrow`;
    const compact = [{ name: 'cleanup.policy', value: 'compact' }];
    const both = [{ name: 'cleanup.policy', value: 'compact,delete' }];
    const small = [...compact, { name: 'max.message.bytes', value: '1048587' }];
    await asAdmin((admin) =>
      admin.createTopics({
        topics: [
          { topic: split, numPartitions: 3, configEntries: compact },
          { topic: kept, numPartitions: 1, configEntries: both },
          { topic: narrow, numPartitions: 1, configEntries: small },
          { topic: events, numPartitions: 3, configEntries: compact },
        ],
      }),
    );
    for (const [topic, fault] of [
      [split, /has 3 partitions/],
      [kept, /cleanup.policy=compact,delete/],
      [narrow, /needs max.message.bytes of at least 1048588/],
    ] as const) {
      const lane = ground.directives(directivesOutlet(connection, SIZES, topic));
      await until(
        () => lane.status().state === 'wrong_topic',
        () => JSON.stringify(lane.status().reason),
        WAIT_MS,
      );
      assert.match(lane.status().reason ?? '', fault);
    }
    const lane = ground.events(toEvents);
    await until(() => lane.status().state === 'wrong_topic', undefined, WAIT_MS);
    assert.match(lane.status().reason ?? '', /is compacted/);
    assert.equal(await ground.log.head('relay-events'), 0);
    const replicated = ground.events(eventsOutlet(connection, { ...SIZES, replication: 3 }, `${events}-replicated`));
    await until(() => replicated.status().state === 'wrong_topic', undefined, WAIT_MS);
    assert.match(replicated.status().reason ?? '', /cannot be made/);
  });
});
