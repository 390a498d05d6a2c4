import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { KafkaConnection } from '../../../libs/kafka/client.js';
import { DIRECTIVES_TOPIC } from '../../../libs/feed/kafka/kafka-feed.js';
import { EVENTS_TOPIC } from '../../../libs/relay/outlets.js';
import { familyOf } from '../../../libs/streams/catalogue.js';
import { ended, place, type ServiceProcess } from '../../process/child.js';
import { folderOf, sallyportIn } from '../../backup/ground.js';
import { stateOf, until } from '../../relay/ground.js';
import { callBody, expecting, openTask, readyWorld } from '../../support/world.js';
import type { Answered } from '../../support/service.js';
import { startKafka, type TestKafka } from '../kafka/kafka.js';
import { keptOf, readTopic } from './reading.js';
import { after, before, describe, test } from '../../support/testing.js';

/** The service as it is run, with brokers: killed, restarted, and without them for a while. */

const WAIT_MS = 60_000;
const PUBLIC_URL = 'https://sallyport.example.com';
const SECRET = 'hunter2-and-more';

describe('the service with Kafka', () => {
  let kafka: TestKafka;
  let connection: KafkaConnection;
  before(async () => {
    kafka = await startKafka({ sessionMs: 2000 });
    connection = { brokers: [...kafka.brokers], clientId: 'process-test' };
  });
  after(() => kafka?.stop());

  const env = () => ({ SALLYPORT_KAFKA_BROKERS: kafka.brokers.join(','), SALLYPORT_PUBLIC_URL: PUBLIC_URL });
  const health = async (service: ServiceProcess): Promise<Answered> =>
    expecting(200, await service.call('nobody', 'GET', '/health/ready')).kafka;
  /** Its line of output when it is ready. */
  const healthOnce = async (service: ServiceProcess, so: (kafka: Answered) => boolean): Promise<Answered> => {
    for (const endMs = performance.now() + WAIT_MS; ; await pause(50)) {
      const said = await health(service);
      if (so(said)) return said;
      assert.ok(performance.now() < endMs, JSON.stringify(said));
    }
  };
  const allowed = async (service: ServiceProcess, task: Answered, calls: number): Promise<void> => {
    for (let call = 0; call < calls; call += 1) {
      const answer = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
      assert.equal(expecting(200, answer).decision, 'allow');
    }
  };
  /** All that an auditor finds in the log. */
  const recorded = async (service: ServiceProcess): Promise<Answered[]> => {
    const events: Answered[] = [];
    for (let after: string | undefined = '0'; after !== undefined;) {
      const page = expecting(200, await service.call('auditor', 'GET', `/v1/audit/events?after=${after}&limit=1000`));
      events.push(...page.items);
      after = page.next as string | undefined;
    }
    assert.ok(
      events.every(({ stream }) => familyOf(stream)?.role !== 'bookkeeping'),
      'bookkeeping is no evidence',
    );
    return events;
  };

  test('killed with -9 and started again, with its broker away meanwhile: nothing is missing', async (t) => {
    if (!kafka.owned) return t.skip('the topics have fixed names');
    const { start } = place(t);
    const first = await start({ env: env() });
    await readyWorld(first);
    const task = await openTask(first);
    await allowed(first, task, 50);
    const directive = expecting(
      201,
      await first.call('operator', 'POST', '/v1/directives', {
        target: { type: 'category', category: 'x' },
        reason: 'drill',
      }),
    );
    await allowed(first, task, 20);
    first.kill('SIGKILL');
    await ended(first);
    const second = await start({ env: env() });
    await allowed(second, task, 20);
    await healthOnce(second, ({ events, directives }) => events.lag === 0 && directives.lag === 0);
    await kafka.kill();
    await allowed(second, task, 50);
    const other = expecting(
      201,
      await second.call('operator', 'POST', '/v1/directives', {
        target: { type: 'category', category: 'y' },
        reason: 'drill',
      }),
    );
    const away = await healthOnce(second, ({ events, directives }) =>
      [events, directives].every(({ state, lag }) => state === 'connecting' && lag > 0),
    );
    assert.ok(away.events.lag >= 50 && away.directives.lag === 1, JSON.stringify(away));
    assert.ok(!JSON.stringify(away).includes('127.0.0.1'), 'nobody learns where brokers are');
    const metrics = (await second.call('nobody', 'GET', '/metrics')).body as string;
    assert.match(metrics, /^sallyport_relay_events_sending 0$/m);
    second.kill('SIGKILL');
    await ended(second);
    // A start without brokers is a start.
    const third = await start({ env: env() });
    await allowed(third, task, 5);
    const cold = await healthOnce(third, (lanes) =>
      [lanes.events, lanes.directives].every(({ reason }) => reason !== undefined),
    );
    await kafka.start();
    const events = await recorded(third);
    // It knows the acknowledgements of the process before it, and nothing of the directives on the topic.
    assert.ok(cold.events.lag < events.length - 50 && cold.directives.lag > 0, JSON.stringify(cold));
    const reading = await readTopic(connection, EVENTS_TOPIC);
    const said = await readTopic(connection, DIRECTIVES_TOPIC);
    t.after(() => (reading.stop(), said.stop()));
    const wanted = events.map(({ position }) => BigInt(position as string));
    // The auditor's own reading is recorded after it.
    const kept = () => keptOf(reading.records).filter((position) => position <= (wanted.at(-1) ?? 0n));
    await until(
      () => kept().length >= wanted.length,
      () => `${kept().length} of ${wanted.length}`,
      WAIT_MS,
    );
    assert.deepEqual(kept(), wanted);
    await until(() => stateOf(said.records).has(other.id), undefined, WAIT_MS);
    assert.ok(stateOf(said.records).has(directive.id));
    const there = await health(third);
    assert.deepEqual([there.events.state, there.directives.state], ['sending', 'sending']);
    const schemas = reading.records.map(({ headers }) => headers['ce_dataschema'] ?? '');
    assert.ok(schemas.every((schema) => schema.startsWith(`${PUBLIC_URL}/asyncapi.json#`)));
    const content = JSON.stringify(reading.records);
    assert.ok(!content.includes('"arguments"') && !content.includes(third.tokens.host), 'content has no place there');
    third.kill('SIGTERM');
    assert.deepEqual(await ended(third), { code: 0, signal: null });
  });

  test('brokers that do not take the password: decisions go on, and the password is nowhere', async (t) => {
    const { start } = place(t);
    const sasl = { SALLYPORT_KAFKA_SASL: 'plain', SALLYPORT_KAFKA_USER: 'relay', SALLYPORT_KAFKA_PASSWORD: SECRET };
    const service = await start({ env: { ...env(), ...sasl } });
    await readyWorld(service);
    await allowed(service, await openTask(service), 1);
    const detail = await healthOnce(service, ({ events }) => events.reason !== undefined);
    assert.equal(detail.events.state, 'connecting');
    assert.ok(detail.events.reason.length > 0);
    service.kill('SIGTERM');
    assert.deepEqual(await ended(service), { code: 0, signal: null });
    assert.match(service.stdout(), /not sent to Kafka/);
    for (const said of [service.stdout(), service.stderr(), JSON.stringify(detail)]) assert.ok(!said.includes(SECRET));
  });

  test('a restored service sends under a new source, and restore lists what the backup lacks', async (t) => {
    const { dataDir, start } = place(t);
    const service = await start({ env: env() });
    await readyWorld(service);
    const folder = folderOf(t);
    const brokers = { SALLYPORT_KAFKA_BROKERS: kafka.brokers.join(',') };
    assert.equal((await sallyportIn(brokers, dataDir, 'backup', folder('b'))).code, 0);
    const target = { type: 'category', category: 'lost' };
    const { id } = expecting(
      201,
      await service.call('operator', 'POST', '/v1/directives', { target, reason: 'issued after the backup' }),
    );
    const task = await openTask(service);
    await allowed(service, task, 3);
    await healthOnce(service, ({ events, directives }) => events.lag === 0 && directives.lag === 0);
    service.kill('SIGTERM');
    await ended(service);
    const { out, code } = await sallyportIn(brokers, folder('data'), 'restore', folder('b'), '--json');
    assert.equal(code, 0);
    const { lost, manifest, incarnation } = JSON.parse(out);
    assert.deepEqual(
      lost.directives.directives.map((each: Answered) => [each.id, each.state, each.target]),
      [[id, 'active', target]],
    );
    const counts = Object.entries(lost.events as Record<string, number>);
    assert.equal(counts.find(([type]) => type.includes('CallDecided'))?.[1], 3);
    assert.equal(counts.find(([type]) => type.includes('DirectiveIssued'))?.[1], 1);
    assert.ok(incarnation > manifest.incarnation);
  });
});
