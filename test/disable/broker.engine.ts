import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { DIRECTIVES_TOPIC } from '../../libs/feed/kafka/kafka-feed.js';
import { openClient } from '../../libs/kafka/client.js';
import { freePort } from '../bench/running.js';
import { startKafka, type TestKafka } from '../engines/kafka/kafka.js';
import { ended, place, type ServiceProcess } from '../process/child.js';
import { startProxy, type Proxy } from '../support/proxy.js';
import type { Answered } from '../support/service.js';
import {
  allRefuse,
  callsAgain,
  disable,
  fleetWorld,
  LEASE_MS,
  noneSince,
  RUNNING,
  SKEW_MS,
  startCaller,
  STOPPED,
  until,
  type Caller,
} from './fleet.js';
import { nothingIsMissing } from './topic.js';
import { after, before, test, type TestContext } from '../support/testing.js';

/**
 * Emergency disable over a real broker that breaks. One host follows both feeds, one Kafka alone, and one follows Kafka
 * and can be cut off from the service.
 */

const BOUND_MS = LEASE_MS + SKEW_MS;
const DEAD_MS = 20_000;
const FROZEN_MS = LEASE_MS + 3000;

let kafka: TestKafka;
before(async () => {
  kafka = await startKafka();
});
after(() => kafka?.stop());

interface Fleet {
  readonly service: ServiceProcess;
  readonly restart: () => Promise<void>;
  readonly callers: readonly Caller[];
  /** The one that follows Kafka alone, and whose way to the service is `proxy`. */
  readonly remote: Caller;
  readonly proxy: Proxy;
}

/** Runs against a service and hosts of its own; afterwards the whole log has to be in Kafka. */
async function withFleet(t: TestContext, body: (fleet: Fleet) => Promise<void>): Promise<void> {
  const { dataDir, start } = place(t);
  const env = {
    SALLYPORT_LEASE_MS: String(LEASE_MS),
    SALLYPORT_SKEW_MS: String(SKEW_MS),
    SALLYPORT_HTTP: `127.0.0.1:${await freePort()}`,
    SALLYPORT_KAFKA_BROKERS: kafka.brokers.join(','),
  };
  await emptyTopics();
  let service = await start({ env });
  const proxy = await startProxy(new URL(service.url).host);
  const task: Answered = await fleetWorld(service);
  const token = service.tokens.host;
  const instance = { url: service.url, token, brokers: kafka.brokers };
  const callers: Caller[] = [];
  try {
    callers.push(await startCaller({ ...instance, feeds: ['watch', 'kafka'] }, task));
    callers.push(await startCaller({ ...instance, feeds: ['kafka'] }, task));
    const remote = await startCaller({ ...instance, feeds: ['kafka'], askUrl: `http://${proxy.address}` }, task);
    callers.push(remote);
    await callsAgain(callers, STOPPED);
    await until(
      () => callers.every(({ follower }) => follower.state().feeds.every(({ heardAt }) => heardAt !== undefined)),
      () => JSON.stringify(callers.map(({ follower }) => follower.state())),
    );
    const restart = async (): Promise<void> => {
      service.kill('SIGKILL');
      await ended(service);
      service = await start({ env });
    };
    await body({
      get service() {
        return service;
      },
      restart,
      callers,
      remote,
      proxy,
    });
    t.diagnostic(JSON.stringify(callers.map(({ made, refused }) => [made.length, ...refused])));
  } finally {
    await Promise.all(callers.map((caller) => caller.stop()));
    await proxy.close();
  }
  const stoppedMs = performance.now();
  await until(
    async () => (await relayed(service)).lag === 0,
    async () => JSON.stringify(await relayed(service)),
  );
  t.diagnostic(`all is in Kafka ${Math.round(performance.now() - stoppedMs)} ms after the last call`);
  service.kill('SIGTERM');
  assert.equal((await ended(service)).code, 0);
  await nothingIsMissing(kafka.brokers, dataDir);
}

const relayed = async (service: ServiceProcess): Promise<{ lag: number }> =>
  (await service.call('nobody', 'GET', '/health/ready')).body.kafka.events;

/** Each test has a log of its own, so it needs topics of its own too; the names are the contract's. */
async function emptyTopics(): Promise<void> {
  const client = openClient({ brokers: kafka.brokers, clientId: 'emptying' });
  const admin = client.kafka.admin();
  try {
    await admin.connect();
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith('sallyport.'));
    if (topics.length > 0) await admin.deleteTopics({ topics });
    while ((await admin.listTopics()).some((topic) => topics.includes(topic))) await pause(50);
  } finally {
    await admin.disconnect();
    client.discard();
  }
}

/** That all know of the directive and make calls again that it does not stop. */
async function healed(callers: readonly Caller[], epoch: number): Promise<void> {
  await until(
    () => callers.every(({ follower }) => follower.state().epoch === epoch && follower.stale() === undefined),
    () => JSON.stringify(callers.map(({ follower }) => follower.state())),
  );
  await callsAgain(callers);
}

test('the broker is killed with -9 for 20 s: decisions and disables go on, and nothing is lost', async (t) => {
  if (!kafka.owned) return t.skip('not a broker of ours');
  const broker = kafka;
  await withFleet(t, async ({ service, callers }) => {
    await broker.kill();
    const deadMs = performance.now();
    await pause(LEASE_MS);
    const { atMs, epoch } = await disable(service);
    await callsAgain(callers);
    await pause(Math.max(0, deadMs + DEAD_MS - performance.now()));
    noneSince(callers, atMs + BOUND_MS);
    const ready = await service.call('nobody', 'GET', '/health/ready');
    assert.equal(ready.status, 200, JSON.stringify(ready.body));
    await broker.start();
    const backMs = performance.now();
    await healed(callers, epoch);
    const fresh = (heardAt: string | undefined): boolean => Date.now() - Date.parse(heardAt ?? '') < 2000;
    await until(
      () => callers.every(({ follower }) => follower.state().feeds.every(({ heardAt }) => fresh(heardAt))),
      () => JSON.stringify(callers.map(({ follower }) => follower.state())),
    );
    t.diagnostic(`beats come by Kafka again ${Math.round(performance.now() - backMs)} ms after the broker answers`);
    noneSince(callers, atMs + BOUND_MS);
  });
});

test('the broker is frozen for longer than the lease: its queue of old beats renews nothing when it thaws', async (t) => {
  if (!kafka.owned) return t.skip('not a broker of ours');
  const broker = kafka;
  await withFleet(t, async ({ service, callers, remote, proxy }) => {
    // From here on it hears by Kafka alone.
    proxy.cut();
    broker.freeze();
    const frozenMs = performance.now();
    const { atMs, epoch } = await disable(service);
    await pause(FROZEN_MS);
    noneSince([remote], frozenMs + BOUND_MS, RUNNING);
    broker.thaw();
    await pause(1000);
    noneSince([remote], frozenMs + BOUND_MS, RUNNING);
    noneSince(callers, atMs + BOUND_MS);
    proxy.heal();
    await healed(callers, epoch);
    noneSince(callers, atMs + BOUND_MS);
  });
});

test('a directive is issued while all is down: nobody calls before it has heard of it', async (t) => {
  if (!kafka.owned) return t.skip('not a broker of ours');
  const broker = kafka;
  await withFleet(t, async ({ service, restart, callers, remote, proxy }) => {
    proxy.cut();
    await broker.kill();
    await pause(200);
    const { atMs, epoch } = await disable(service);
    await restart();
    await allRefuse([remote]);
    noneSince(callers, atMs + BOUND_MS);
    await broker.start();
    proxy.heal();
    await healed(callers, epoch);
    noneSince(callers, atMs + BOUND_MS);
  });
});

test('forged, replayed and reordered records in the topic of directives stop nobody for long and let nobody on', async (t) => {
  await withFleet(t, async ({ service, callers }) => {
    const { atMs, epoch } = await disable(service);
    await healed(callers, epoch);
    const client = openClient({ brokers: kafka.brokers, clientId: 'forger' });
    const producer = client.kafka.producer();
    try {
      await producer.connect();
      const beat = (await service.call('host', 'GET', '/v1/directives')).body;
      const [directive] = beat.active;
      const lifted = { ...beat, active: undefined, epoch: epoch + 1, directive: { ...directive, state: 'lifted' } };
      const values = [
        JSON.stringify(lifted),
        JSON.stringify({ ...beat, issuedAt: new Date(Date.now() + 400).toISOString() }),
        JSON.stringify(beat),
        JSON.stringify({ ...beat, epoch: epoch + 7 }),
        'no json',
        '{"__proto__":{"epoch":99}}',
      ];
      for (let round = 0; round < 20; round += 1) {
        for (const value of values) {
          for (const key of [directive.id, 'heartbeat']) {
            await producer.send({ topic: DIRECTIVES_TOPIC, messages: [{ key, value }] });
          }
        }
      }
      // Of a compacted key the last record counts: a tombstone would bring back what was disabled.
      await producer.send({ topic: DIRECTIVES_TOPIC, messages: [{ key: directive.id, value: null }] });
    } finally {
      await producer.disconnect();
      client.discard();
    }
    await healed(callers, epoch);
    noneSince(callers, atMs + BOUND_MS);
    // Somebody who begins now reads what the service says, for it has said it again.
    const late = await startCaller(
      { url: service.url, token: service.tokens.host, feeds: ['kafka'], brokers: kafka.brokers },
      { taskId: 'none', pins: [] },
    );
    await until(
      () => late.follower.state().epoch === epoch && late.follower.stale() === undefined,
      () => JSON.stringify(late.follower.state()),
    );
    await late.stop();
  });
});
