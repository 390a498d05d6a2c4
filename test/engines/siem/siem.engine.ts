import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { KafkaConnection } from '../../../libs/kafka/client.js';
import { EVENTS_TOPIC, SIEM_TOPIC } from '../../../libs/relay/outlets.js';
import type { OcsfEvent } from '../../../libs/siem/ocsf.js';
import { ended, place } from '../../process/child.js';
import { until } from '../../relay/ground.js';
import { canariesIn, liveWithCanaries } from '../../siem/canaries.js';
import { reducedSchema, wholeSchema } from '../../siem/schema.js';
import { validate } from '../../siem/validator.js';
import type { Answered, Callable } from '../../support/service.js';
import { after, before, describe, test } from '../../support/testing.js';
import { callBody, expecting, openTask } from '../../support/world.js';
import { startKafka, type TestKafka } from '../kafka/kafka.js';
import { readTopic } from '../relay/reading.js';

/** OCSF events on the topic for a SIEM, of the service as it is run. */

const WAIT_MS = 60_000;
/** Texts of people, of definitions and of servers' evidence are in the events of the log, and so in their topic. */
const OF_THE_LOG =
  /^c4n4ry-(review|policy|policy-review|reinstate|directive|lift|revoke|drift|definition-.*|server-.*|integrity)$/;
const schema = wholeSchema() ?? reducedSchema();

describe('the topic for a SIEM', () => {
  let kafka: TestKafka;
  let connection: KafkaConnection;
  before(async () => {
    kafka = await startKafka({ sessionMs: 2000 });
    connection = { brokers: [...kafka.brokers], clientId: 'siem-test' };
  });
  after(() => kafka?.stop());

  const recorded = async (service: Callable): Promise<Answered[]> =>
    expecting(200, await service.call('auditor', 'GET', '/v1/audit/events?limit=1000')).items;

  test('has every event, without content, after a kill and a broker that was away', async (t) => {
    if (!kafka.owned) return t.skip('the topics have fixed names');
    const { start } = place(t);
    const env = { SALLYPORT_KAFKA_BROKERS: kafka.brokers.join(',') };
    const first = await start({ env });
    await liveWithCanaries(first);
    first.kill('SIGKILL');
    await ended(first);
    await kafka.kill();
    const second = await start({ env });
    const task = await openTask(second);
    for (let calls = 0; calls < 20; calls += 1) {
      expecting(200, await second.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
    }
    await kafka.start();
    const wanted = await recorded(second);
    // The topic is there from now on: a reader that came earlier would look for it again only after minutes.
    for (let metrics = ''; !/^sallyport_siem_kafka_sent_total [1-9]/m.test(metrics); await pause(100)) {
      metrics = String((await second.call('nobody', 'GET', '/metrics')).body);
    }
    const siem = await readTopic(connection, SIEM_TOPIC);
    const events = await readTopic(connection, EVENTS_TOPIC);
    t.after(() => (siem.stop(), events.stop()));
    const sent = () => siem.records.map(({ value }) => JSON.parse(value) as OcsfEvent);
    const missing = () => {
      const there = new Set(sent().map(({ metadata }) => metadata.uid));
      return wanted.filter(({ id }) => !there.has(id));
    };
    await until(
      () => missing().length === 0,
      () => `${missing().length} of ${wanted.length} are missing`,
      WAIT_MS,
    );
    await until(() => events.records.length >= wanted.length, undefined, WAIT_MS);
    for (const { key, value, headers } of siem.records) {
      const event = JSON.parse(value) as OcsfEvent;
      assert.deepEqual(validate(schema, event).faults, [], value);
      assert.equal(key, event.metadata['correlation_uid'] ?? event.metadata['log_name']);
      assert.equal(headers['content-type'], 'application/json');
    }
    for (const sequences of Map.groupBy(siem.records, ({ key }) => key).values()) {
      const order = [...new Set(sequences.map(({ value }) => JSON.parse(value).metadata.sequence as number))];
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
        'the events of a trace keep their order',
      );
    }
    assert.deepEqual(canariesIn(JSON.stringify(siem.records)), []);
    const leaked = canariesIn(JSON.stringify(events.records)).filter((found) => !OF_THE_LOG.test(found));
    assert.deepEqual(leaked, []);
    const metrics = String((await second.call('nobody', 'GET', '/metrics')).body);
    assert.match(metrics, /^sallyport_siem_kafka_sending 1$/m);
    second.kill('SIGTERM');
    assert.deepEqual(await ended(second), { code: 0, signal: null });
  });

  test('is not used with SALLYPORT_SIEM_KAFKA=off', async (t) => {
    const { start } = place(t);
    const service = await start({
      env: { SALLYPORT_KAFKA_BROKERS: kafka.brokers.join(','), SALLYPORT_SIEM_KAFKA: 'off' },
    });
    const metrics = String((await service.call('nobody', 'GET', '/metrics')).body);
    assert.match(metrics, /^sallyport_relay_events_sending/m);
    assert.doesNotMatch(metrics, /sallyport_siem_/);
  });
});
