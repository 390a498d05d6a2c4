import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import kafkajs, { Kafka, logLevel, type ConfigResourceTypes, type Consumer, type Producer } from 'kafkajs';
import { startKafka, type TestKafka } from './kafka.js';
import { silenceNegativeTimeouts } from '../../../libs/kafka/warnings.js';
import { after, before, describe, test } from '../../support/testing.js';

/** The broker that the other suites rely on: it keeps what it acknowledged, breaks when told, and goes with its test. */

const WAIT_MS = 60_000;
const POLL_MS = 20;
/** Long enough to tell a missing answer from a slow one. */
const FROZEN_MS = 1500;

silenceNegativeTimeouts();

describe('a real broker', () => {
  const topic = `sallyport-test-${randomUUID()}`;
  const received: string[] = [];
  let kafka: TestKafka;
  let client: Kafka;
  let producer: Producer;
  let consumer: Consumer;

  const send = async (value: string): Promise<void> =>
    void (await producer.send({ topic, acks: -1, messages: [{ key: value, value }] }));
  const until = async (seen: () => boolean): Promise<void> => {
    for (const endMs = performance.now() + WAIT_MS; !seen(); await pause(POLL_MS)) {
      assert.ok(performance.now() < endMs, `not in time; received: ${received.join(' ')}`);
    }
  };

  before(async () => {
    const startedMs = performance.now();
    // Its session is short, so that it is back soon after it was killed.
    kafka = await startKafka({ sessionMs: 2000 });
    console.log(`${kafka.kind}: answers after ${Math.round(performance.now() - startedMs)} ms`);
    client = new Kafka({ clientId: 'broker-test', brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    producer = client.producer({ idempotent: true, maxInFlightRequests: 1 });
    consumer = client.consumer({ groupId: topic });
  });
  after(async () => {
    await consumer?.disconnect();
    await producer?.disconnect();
    if (kafka?.kind === 'given') await removeTopic(client, topic);
    await kafka?.stop();
  });

  test('makes a compacted topic of one partition, and none by itself', async () => {
    const admin = client.admin({ retry: { retries: 0 } });
    await admin.connect();
    try {
      const configured = async (
        type: ConfigResourceTypes,
        name: string,
        config: string,
      ): Promise<string | undefined> => {
        const resources = [{ type, name, configNames: [config] }];
        const described = await admin.describeConfigs({ includeSynonyms: false, resources });
        return described.resources[0]?.configEntries[0]?.configValue;
      };
      const { BROKER, TOPIC } = kafkajs.ConfigResourceTypes;
      const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
      assert.ok(await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }] }));
      assert.equal(await configured(TOPIC, topic, 'cleanup.policy'), 'compact');
      const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
      assert.equal(metadata.topics[0]?.partitions.length, 1);
      if (kafka.kind !== 'given') assert.equal(await configured(BROKER, '1', 'auto.create.topics.enable'), 'false');
    } finally {
      await admin.disconnect();
    }
  });

  test('hands on what it was given', async () => {
    await producer.connect();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ message }) => Promise.resolve(void received.push(String(message.value))),
    });
    await send('first');
    await until(() => received.includes('first'));
  });

  test('frozen, it answers nothing; thawed, it goes on', async (t) => {
    if (!kafka.owned) return t.skip('not a process of ours');
    kafka.freeze();
    let sent = false;
    const sending = send('second').then(() => (sent = true));
    await pause(FROZEN_MS);
    assert.equal(sent, false);
    kafka.thaw();
    await sending;
    await until(() => received.includes('second'));
  });

  test('killed with -9, it is gone; started again, it has all that it acknowledged', async (t) => {
    if (!kafka.owned) return t.skip('not a process of ours');
    const [address] = kafka.brokers;
    await kafka.kill();
    await assert.rejects(kafka.kill(), /does not run/);
    const startedMs = performance.now();
    await kafka.start();
    t.diagnostic(`answers ${Math.round(performance.now() - startedMs)} ms after it was started again`);
    await assert.rejects(kafka.start(), /runs already/);
    assert.deepEqual(kafka.brokers, [address]);
    await send('third');
    const again = client.consumer({ groupId: `${topic}-again` });
    const all: string[] = [];
    await again.connect();
    await again.subscribe({ topic, fromBeginning: true });
    await again.run({ eachMessage: ({ message }) => Promise.resolve(void all.push(String(message.value))) });
    await until(() => all.includes('third'));
    await again.disconnect();
    assert.deepEqual(all, ['first', 'second', 'third']);
  });

  test('does not outlive a test process that is killed with -9', async (t) => {
    if (!kafka.owned) return t.skip('not a process of ours');
    const place = mkdtempSync(join(tmpdir(), 'sallyport-outlive-'));
    t.after(() => rmSync(place, { recursive: true, force: true }));
    const text = `
      const { startKafka } = await import('${join(import.meta.dirname, 'kafka.js')}');
      const kafka = await startKafka();
      kafka.freeze();
      console.log(kafka.brokers[0]);
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', text], {
      env: { ...process.env, TMPDIR: place },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    t.after(() => child.kill('SIGKILL'));
    let address = '';
    child.stdout.on('data', (chunk: Buffer) => (address += chunk.toString().trim()));
    await until(() => address !== '' || child.exitCode !== null);
    assert.equal(readdirSync(place).length, 1);
    assert.equal(await isOpen(address), true);
    assert.ok(child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'));
    await until(() => readdirSync(place).length === 0);
    assert.equal(await isOpen(address), false);
  });
});

async function removeTopic(client: Kafka, topic: string): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
}

/** Whether anybody listens: a process that is stopped still does. */
function isOpen(address: string): Promise<boolean> {
  const [host = '', port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
